//! A broker and the model beside it: every step is done to both, and what they say is compared.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use mq_broker::{
    Broker, BrokerOptions, Delivered, Publisher, Subscription, SystemTimeSource, TimeSource,
    storage::{
        Storage,
        sim::{Disk, Seeded},
    },
};
use mq_core::{binder::Cursor, error::Result, message::Message as Real};

use crate::model::{Message, Model, Place};

/// Bytes of a segment: small, so that there are many.
pub(crate) const SEGMENT: u64 = 64 << 10;
/// What comes later than this is not waited for.
const LATER: Duration = Duration::from_secs(60);
/// Nothing takes so long, on the slowest machine.
const STUCK: Duration = Duration::from_secs(30);

/// A consumer, and what it has.
pub(crate) struct Consumer {
    pub(crate) number: usize,
    pub(crate) destination: String,
    pub(crate) group: String,
    pub(crate) subscription: Subscription,
    /// It may have so many bytes.
    pub(crate) bytes: Option<u64>,
    pub(crate) held: Vec<Delivered>,
}

/// The broker after a step.
#[derive(Clone)]
struct Point {
    lsn: u64,
    bytes: Vec<u8>,
    model: Model,
    /// Whether the frames before it, back to the point before, change nothing that the model knows.
    is_quiet: bool,
}

/// What was compared.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) steps: u64,
    pub(crate) openings: u64,
    /// States after a recovery that were compared with the live one byte by byte.
    pub(crate) states: u64,
    /// Steps whose outcome a crash left open.
    pub(crate) unknown: u64,
    pub(crate) deliveries: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.openings += other.openings;
        self.states += other.states;
        self.unknown += other.unknown;
        self.deliveries += other.deliveries;
    }
}

pub(crate) struct World {
    pub(crate) disk: Disk,
    pub(crate) options: BrokerOptions,
    pub(crate) model: Model,
    pub(crate) consumers: Vec<Consumer>,
    /// Who has opened publishers in this process, by their names.
    pub(crate) owners: Vec<(String, Publisher)>,
    pub(crate) counts: Counts,
    broker: Option<Broker>,
    /// Since the disk had everything for sure, oldest first.
    points: Vec<Point>,
    /// The model if the step took effect whose outcome is not known.
    unknown: Option<Model>,
    next_id: u64,
    pub(crate) next_consumer: usize,
    pub(crate) time: Wrong,
    /// When the broker was opened.
    pub(crate) opened: SystemTime,
}

/// Options for small journals.
pub(crate) fn options(chance: &mut Seeded) -> BrokerOptions {
    let mut options = BrokerOptions::default();
    options.segment = SEGMENT;
    options.max_message = SEGMENT / 2;
    options.spares = *chance.pick(&[0, 2]);
    options.memory = *chance.pick(&[4 << 10, 1 << 20, 1 << 20, 1 << 20]);
    options.reserve = 0;
    options.slow_below = 0;
    options.auto_create = false;
    options
}

/// What futures run on.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime")
}

pub(crate) fn open(disk: &Disk, options: &BrokerOptions) -> Result<Broker> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    Broker::open_on(&storage, options.clone(), "simulated")
}

/// The body of a message: its number, then bytes that follow from it.
pub(crate) fn body(id: u64, size: usize) -> Vec<u8> {
    let mut body = id.to_le_bytes().to_vec();
    body.resize(size.max(8), id as u8);
    body
}

/// The clocks of the system, of which the one that people set is wrong by some nanoseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrong(Arc<AtomicI64>);

impl Wrong {
    /// What the wrong clock shows at this time.
    pub(crate) fn of(&self, time: SystemTime) -> SystemTime {
        let by = self.0.load(Ordering::Relaxed);
        let distance = Duration::from_nanos(by.unsigned_abs());
        if by < 0 {
            time - distance
        } else {
            time + distance
        }
    }
}

impl TimeSource for Wrong {
    fn wall(&self) -> SystemTime {
        self.of(SystemTime::now())
    }

    fn steady(&self) -> Duration {
        SystemTimeSource.steady()
    }
}

/// Polls a future once.
pub(crate) fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

impl World {
    pub(crate) fn new(disk: Disk, mut options: BrokerOptions) -> Result<Self> {
        let time = Wrong::default();
        options.time = Arc::new(time.clone());
        options.is_inspected = true;
        let broker = open(&disk, &options)?;
        let mut world = Self {
            disk,
            options,
            model: Model::default(),
            consumers: Vec::new(),
            owners: Vec::new(),
            counts: Counts::default(),
            broker: Some(broker),
            points: Vec::new(),
            unknown: None,
            next_id: 1,
            next_consumer: 1,
            time,
            opened: SystemTime::now(),
        };
        world.points.push(world.point());
        Ok(world)
    }

    pub(crate) fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("open")
    }

    /// The same past, to go on from differently: [`go_on`](Self::go_on) has to follow.
    pub(crate) fn fork(&self) -> Self {
        Self {
            disk: self.disk.clone(),
            options: self.options.clone(),
            model: self.model.clone(),
            consumers: Vec::new(),
            owners: Vec::new(),
            counts: Counts::default(),
            broker: None,
            points: self.points.clone(),
            unknown: self.unknown.clone(),
            next_id: self.next_id,
            next_consumer: self.next_consumer,
            time: self.time.clone(),
            opened: self.opened,
        }
    }

    /// A message of the model as it is published.
    pub(crate) fn real(&self, message: &Message) -> Real {
        let real = Real::new(body(message.id, message.size)).partition(message.partition);
        let real = match message.due {
            Some(due) => real.deliver_at(self.time.of(due)),
            None => real,
        };
        match message.key {
            Some(key) => real.key(vec![key]),
            None => real,
        }
    }

    /// Somebody sets the clock by up to ten minutes, and the broker has noticed before anything else happens.
    pub(crate) fn set_clock(&mut self, chance: &mut Seeded) {
        let by = i64::try_from(chance.below(1_200_000_000_000)).unwrap_or(0) - 600_000_000_000;
        self.time.0.store(by, Ordering::Relaxed);
        self.disk.crash_at(u64::MAX);
        let noticed = self.broker().checkpoint();
        self.end(noticed, self.model.clone(), false);
        self.was_quiet();
    }

    pub(crate) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn point(&self) -> Point {
        let (lsn, bytes) = self.broker().inspect();
        let model = self.model.clone();
        Point {
            lsn,
            bytes,
            model,
            is_quiet: false,
        }
    }

    /// A step that writes has ended: `after` is the model with it.
    ///
    /// Returns what the broker said, unless the disk has failed under it.
    pub(crate) fn end<T>(&mut self, said: Result<T>, after: Model, is_durable: bool) -> Option<T> {
        match said {
            Ok(said) => {
                self.model = after;
                let point = self.point();
                if is_durable {
                    self.points.clear();
                }
                self.points.push(point);
                Some(said)
            }
            Err(error) => {
                assert!(self.disk.is_crashed(), "the step failed: {error:?}");
                self.counts.unknown += 1;
                self.unknown.get_or_insert(after);
                None
            }
        }
    }

    /// The last step has written only what changes nothing that the model knows, and may go on doing so.
    pub(crate) fn was_quiet(&mut self) {
        if let Some(last) = self.points.last_mut() {
            last.is_quiet = true;
        }
        if self.disk.is_crashed() {
            self.unknown.get_or_insert(self.model.clone());
        }
    }

    /// Whether the disk has failed under the broker.
    pub(crate) fn is_broken(&self) -> bool {
        self.unknown.is_some()
    }

    /// Opens what a crash has left, and goes on there. `loses` says whether it may have lost what was not synced.
    pub(crate) async fn go_on(&mut self, disk: Disk, loses: bool) {
        self.consumers.clear();
        self.owners.clear();
        self.broker = None;
        self.disk = disk;
        let again = self.open_or_crash();
        self.counts.openings += 1;
        self.find_place(loses || again);
        self.model.restart(self.broker().boots());
        self.look().await;
        let (lsn, bytes) = self.broker().opened().expect("asked for");
        let found = Point {
            lsn,
            bytes,
            ..self.point()
        };
        // What the broker writes by itself at a start may be lost.
        let begun = Point {
            is_quiet: true,
            ..self.point()
        };
        self.points = vec![found, begun];
        self.opened = SystemTime::now();
    }

    /// Opens the disk, and what is left of it if it crashes meanwhile; returns whether it did.
    fn open_or_crash(&mut self) -> bool {
        let mut broker = open(&self.disk, &self.options);
        let crashes = broker.is_err() && self.disk.is_crashed();
        if crashes {
            self.disk = self.disk.image(self.disk.operations());
            broker = open(&self.disk, &self.options);
            self.counts.openings += 1;
        }
        self.broker = Some(broker.expect("a crash is no damage"));
        crashes
    }

    /// Finds out how far the journal goes.
    fn find_place(&mut self, loses: bool) {
        let (lsn, bytes) = self.broker().opened().expect("asked for");
        let place = self.points.iter().rposition(|point| point.lsn <= lsn);
        let place = place.expect("what was confirmed is there after a crash");
        let point = &self.points[place];
        let is_last = place + 1 == self.points.len();
        assert!(
            is_last || loses,
            "nothing is lost by the end of the process"
        );
        // A new segment without a frame yet.
        let is_fresh = lsn % SEGMENT == 64;
        let is_quiet = self.points.get(place + 1).is_some_and(|next| next.is_quiet);
        let unknown = self.unknown.take();
        if point.lsn == lsn {
            assert!(point.bytes == bytes, "recovery and live operation differ");
            self.counts.states += 1;
        }
        self.model = match unknown {
            Some(unknown) if is_last && point.lsn < lsn && !is_fresh => unknown,
            unknown => {
                let (at, steps, is) = (point.lsn, self.points.len(), unknown.is_some());
                assert!(
                    at == lsn || is_fresh || is_quiet,
                    "a frame that nobody wrote, between {at} and {lsn}; step {place} of {steps}, unknown: {is}"
                );
                point.model.clone()
            }
        };
    }

    /// Whether another recovery of the same disk gives the same state.
    pub(crate) fn recover_again(&mut self) {
        let again = open(&self.disk.killed(), &self.options).expect("recovery is repeatable");
        let was = open(&self.disk.killed(), &self.options).expect("recovery is repeatable");
        let same = again.opened() == was.opened();
        assert!(same, "a recovery of a recovery differs");
        self.counts.openings += 1;
        self.counts.states += 1;
    }

    /// Closes in an orderly way and opens again.
    pub(crate) async fn close(&mut self) {
        self.consumers.clear();
        self.owners.clear();
        let before = self.point();
        let closed = self.broker().close().await;
        if let Err(error) = closed {
            assert!(self.disk.is_crashed(), "{error:?}");
            self.unknown.get_or_insert(before.model);
            return;
        }
        if self.disk.is_crashed() {
            // The last snapshot may be missing.
            self.unknown.get_or_insert(before.model);
            return;
        }
        self.points = vec![before];
        self.go_on(self.disk.clone(), false).await;
    }

    /// Compares everything that can be seen.
    pub(crate) async fn look(&mut self) {
        let names: Vec<String> = self.model.destinations.keys().cloned().collect();
        let mut seen: Vec<String> = self
            .broker()
            .destinations()
            .into_iter()
            .map(|one| one.name.to_string())
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, names, "destinations");
        for name in names {
            self.look_at(&name).await;
            let mut groups: Vec<String> = self
                .broker()
                .groups(&name)
                .expect("there")
                .into_iter()
                .map(|one| one.name.to_string())
                .collect();
            groups.sort_unstable();
            assert!(
                groups
                    .iter()
                    .eq(self.model.destinations[&name].groups.keys()),
                "groups"
            );
            self.look_at_groups(&name);
        }
        let publishers = self.broker().publishers().into_iter();
        let mut publishers: Vec<_> = publishers
            .map(|one| (one.name.to_string(), one.last, one.epoch))
            .collect();
        publishers.sort();
        let known = self.model.publishers.iter();
        let known: Vec<_> = known
            .map(|(name, one)| (name.clone(), one.last, one.epoch))
            .collect();
        assert_eq!(publishers, known, "publishers");
    }

    /// Compares the messages of a destination; what everybody is done with may be gone.
    pub(crate) async fn look_at(&mut self, name: &str) {
        let mut cursor = Cursor::default();
        let browsed = self.broker().browse(name, &mut cursor, usize::MAX).await;
        let browsed = match browsed {
            Ok(browsed) => browsed,
            Err(error) => {
                assert!(self.disk.is_crashed(), "browsing {name}: {error:?}");
                return;
            }
        };
        let destination = self.model.destinations.get_mut(name).expect("there");
        let mut seen = std::collections::BTreeSet::new();
        for one in &browsed {
            let at = (one.partition, one.position);
            let kept = destination.kept(at);
            let kept = kept.unwrap_or_else(|| panic!("{name} {at:?} was never stored, or is gone"));
            let expected = body(kept.message.id, kept.message.size);
            assert!(
                one.message.as_bytes() == expected,
                "{name} {at:?} has another body"
            );
            assert_eq!(one.handled, kept.handled, "{name} {at:?}");
            seen.insert(at);
        }
        for at in destination.places() {
            if !seen.contains(&at) {
                assert!(destination.is_done(at), "{name} {at:?} is lost");
                destination.partitions[at.0 as usize].kept.remove(&at.1);
            }
        }
    }

    /// A consumer takes up to `max` messages, and all that there are if there are fewer.
    pub(crate) async fn receive(&mut self, who: usize, max: usize) -> usize {
        let (name, group) = (
            self.consumers[who].destination.clone(),
            self.consumers[who].group.clone(),
        );
        self.wait_for_dues(&name, &group);
        let now = SystemTime::now();
        let number = self.consumers[who].number;
        let expected = self.model.destinations[&name].deliverable(&group, number, now);
        if self.allowed(who, &expected, max) == Some(0) {
            let subscription = &mut self.consumers[who].subscription;
            let got = poll_once(subscription.receive(max));
            let got = got.filter(|_| !self.disk.is_crashed());
            let got = got
                .map(|got| got.map(|all| all.iter().map(Delivered::position).collect::<Vec<_>>()));
            assert!(
                got.is_none(),
                "nothing was to be delivered to {group} of {name}, but {got:?}: {:?}",
                self.model.destinations[&name].reasons(&group, number, now)
            );
            return 0;
        }
        let mut count = 0;
        // What is read from the disk may come in several parts: the consumer has all of it, and has to be given it.
        while count < max {
            let rest = self.model.destinations[&name].deliverable(&group, number, now);
            let allowed = self.allowed(who, &rest, max - count);
            let Some(allowed) = allowed.filter(|allowed| *allowed > 0) else {
                break;
            };
            let subscription = &mut self.consumers[who].subscription;
            let got = tokio::time::timeout(STUCK, subscription.receive(allowed)).await;
            let Ok(got) = got else {
                panic!("{name}, {group}: {expected:?} do not come");
            };
            let Ok(got) = got else {
                assert!(self.disk.is_crashed(), "receiving: {got:?}");
                self.note_starts();
                return count;
            };
            count += self.take(who, got);
        }
        self.note_starts();
        count
    }

    /// What is handed out after a crash is written down, which changes nothing that the model knows.
    fn note_starts(&mut self) {
        let lsn = self.broker().inspect().0;
        if self.points.last().is_some_and(|last| last.lsn < lsn) {
            self.points.push(self.point());
            self.was_quiet();
        } else if self.disk.is_crashed() {
            self.unknown.get_or_insert(self.model.clone());
        }
    }

    fn wait_for_dues(&self, name: &str, group: &str) {
        let dues = self.model.destinations[name].dues(group);
        let soon = SystemTime::now() + LATER;
        for due in dues.into_iter().filter(|due| *due < soon) {
            while SystemTime::now() <= due {
                std::hint::spin_loop();
            }
        }
    }

    fn take(&mut self, who: usize, got: Vec<Delivered>) -> usize {
        let now = SystemTime::now();
        let consumer = &mut self.consumers[who];
        let destination = self.model.destinations.get_mut(&consumer.destination);
        let destination = destination.expect("there");
        let count = got.len();
        for one in got {
            let at: Place = (one.partition(), one.position());
            if let Some(why) = destination.forbids(&consumer.group, consumer.number, at, now) {
                panic!(
                    "{} {at:?} was delivered to {}, but {why}",
                    consumer.destination, consumer.group
                );
            }
            let kept = destination.kept(at).expect("allowed");
            let expected = body(kept.message.id, kept.message.size);
            assert!(one.message().as_bytes() == expected, "another body");
            let lane = &destination.groups[&consumer.group].lanes[at.0 as usize];
            let attempts = lane.attempts.get(&at.1).copied().unwrap_or(0);
            assert_eq!(one.attempts(), attempts, "attempts of {at:?}");
            destination.deliver(&consumer.group, at, consumer.number);
            consumer.held.push(one);
        }
        self.counts.deliveries += count as u64;
        count
    }
}
