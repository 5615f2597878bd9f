//! A small broker under a test's control: it keeps a journal of all that reaches it, and fails when it is told to.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use mq::{
    binder::{
        Action, AssignedLane, Binder, Capabilities, Capability, Event, Lane, LaneId, RetryState,
        SettleError, Settlement, SettlementStyle,
    },
    clock::Clock,
    error::{Error, ErrorKind},
    message::Message,
};
use tokio::{sync::watch, time::Instant};

use super::binder::ScriptedBinder;

/// When every test begins by the wall clock, since the epoch.
const BEGIN: Duration = Duration::from_secs(1_700_000_000);

/// What has reached the broker.
#[derive(Clone, Debug)]
pub enum Seen {
    Subscribed,
    /// A consumer has left in order.
    Closed,
    Published {
        destination: String,
        message: Message,
    },
    /// A publication that was answered with an error.
    Refused {
        destination: String,
    },
    Settled(Settlement),
    Paused(Vec<LaneId>),
    Resumed(Vec<LaneId>),
    Released(Vec<LaneId>),
    Committed,
    Aborted,
}

type OnPublish = Box<dyn FnMut(&str, &Message) -> Option<Error> + Send>;
type OnSettle = Box<dyn FnMut(&Settlement) -> Option<SettleError> + Send>;

/// What is to go wrong.
#[derive(Default)]
pub struct Script {
    pub is_away: bool,
    pub subscribe: VecDeque<Error>,
    pub publish: Option<OnPublish>,
    pub settle: Option<OnSettle>,
    /// Whole calls of `settle` that fail.
    pub settle_calls: VecDeque<Error>,
    pub commit: VecDeque<Error>,
}

/// What a group knows of one partition.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Positional: the first position that is not done with, and what was saved beside it.
    pub committed: u64,
    pub saved: Option<Bytes>,
    /// Per message: what was begun and not settled, and where the rest begins.
    pub slots: BTreeMap<u64, Slot>,
    pub next: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub attempts: u32,
    pub deliveries: u32,
    pub due: Option<SystemTime>,
    pub not_before: Option<Instant>,
    pub out: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct LaneRef {
    pub destination: String,
    pub partition: u32,
    pub epoch: u32,
    pub cursor: u64,
    pub paused: bool,
}

pub struct Member {
    pub group: Option<String>,
    pub lanes: Vec<Option<LaneRef>>,
    pub events: VecDeque<Result<Event, Error>>,
    /// How many records it has, which the loop's window must bound.
    pub out: usize,
}

#[derive(Default)]
pub struct State {
    pub destinations: BTreeMap<String, Vec<Vec<Message>>>,
    pub progress: BTreeMap<(String, String, u32), Progress>,
    pub members: BTreeMap<u64, Member>,
    pub journal: Vec<(Instant, Seen)>,
    pub script: Script,
    pub last_member: u64,
    pub last_epoch: u32,
    pub most_out: usize,
    pub receives: u64,
}

pub struct Shared {
    pub capabilities: Capabilities,
    pub clock: Clock,
    pub partitions: u32,
    pub changed: watch::Sender<u64>,
    /// Whether publications are confirmed at once.
    pub confirming: watch::Sender<bool>,
    state: Mutex<State>,
}

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds this")
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_modify(|version| *version += 1);
        result
    }
}

/// The broker. Clones are the same broker.
#[derive(Clone)]
pub struct Broker(pub Arc<Shared>);

/// What the broker can do, unless a test says otherwise.
const ABLE: [Capability; 8] = [
    Capability::Partitions,
    Capability::KeyOrder,
    Capability::AnonymousGroups,
    Capability::StableIds,
    Capability::DelayedRedelivery,
    Capability::Expiry,
    Capability::Lag,
    Capability::Transactions,
];

impl Broker {
    /// Settles message by message, and records attempts.
    pub fn new() -> Self {
        let capabilities = Capabilities::new(SettlementStyle::PerMessage).with(&ABLE);
        Self::with(capabilities.retry_state(RetryState::Full), 1)
    }

    /// Settles by position, with so many bytes for what is saved beside a position.
    pub fn positional(saved: usize, partitions: u32) -> Self {
        let capabilities = Capabilities::new(SettlementStyle::Positional)
            .with(&ABLE)
            .without(&[Capability::DelayedRedelivery, Capability::KeyOrder])
            .retry_state(RetryState::Bounded(saved));
        Self::with(capabilities, partitions)
    }

    /// With these capabilities.
    pub fn with(capabilities: Capabilities, partitions: u32) -> Self {
        Self(Arc::new(Shared {
            capabilities,
            clock: Clock::starting_at(SystemTime::UNIX_EPOCH + BEGIN),
            partitions,
            changed: watch::Sender::new(0),
            confirming: watch::Sender::new(true),
            state: Mutex::default(),
        }))
    }

    /// The same, without some capabilities.
    pub fn without(self, capabilities: &[Capability]) -> Self {
        Self::with(
            self.0.capabilities.clone().without(capabilities),
            self.0.partitions,
        )
    }

    pub fn binder(&self) -> Arc<dyn Binder> {
        Arc::new(ScriptedBinder(self.0.clone()))
    }

    pub fn clock(&self) -> Clock {
        self.0.clock
    }
}

/// What the test does to it.
impl Broker {
    /// Stores a message with this payload.
    pub fn send(&self, destination: &str, text: &str) {
        self.put(destination, Message::new(text.to_owned()));
    }

    /// Stores a message; `message.partition(…)` says where, else it is partition 0.
    pub fn put(&self, destination: &str, message: Message) {
        let partitions = self.0.partitions;
        self.0
            .change(|state| state.store(destination, partitions, message));
    }

    /// From now on this says which publications fail.
    pub fn on_publish(&self, fail: impl FnMut(&str, &Message) -> Option<Error> + Send + 'static) {
        self.0.lock().script.publish = Some(Box::new(fail));
    }

    /// From now on this says which settlements fail.
    pub fn on_settle(&self, fail: impl FnMut(&Settlement) -> Option<SettleError> + Send + 'static) {
        self.0.lock().script.settle = Some(Box::new(fail));
    }

    /// Goes wrong as the change of the script says.
    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        self.0.change(|state| change(&mut state.script));
    }

    /// Leaves publications unanswered until [`confirm`](Self::confirm).
    pub fn hold_confirmations(&self) {
        self.0.confirming.send_replace(false);
    }

    pub fn confirm(&self) {
        self.0.confirming.send_replace(true);
    }

    /// The next `receive` of every consumer answers this.
    pub fn tell(&self, event: impl Fn() -> Result<Event, Error>) {
        self.0.change(|state| {
            state
                .members
                .values_mut()
                .for_each(|member| member.events.push_back(event()));
        });
    }

    /// The connection breaks, and nothing works until [`back`](Self::back).
    pub fn cut(&self) {
        self.0.lock().script.is_away = true;
        self.tell(|| Ok(Event::Ended(away())));
    }

    pub fn back(&self) {
        self.0.change(|state| state.script.is_away = false);
    }

    /// Asks the consumers to give up the lanes of this partition.
    pub fn revoke(&self, destination: &str, partition: u32, budget: Duration) {
        self.0.change(|state| {
            state.each_lane(destination, partition, |member, id| {
                let lanes = vec![id];
                member
                    .events
                    .push_back(Ok(Event::Revoking { lanes, budget }));
            });
        });
    }

    /// Takes a partition away without asking.
    pub fn take_away(&self, destination: &str, partition: u32) {
        self.0.change(|state| {
            state.each_lane(destination, partition, |member, id| {
                member.lanes[id.0 as usize] = None;
                member
                    .events
                    .push_back(Ok(Event::Lost { lanes: vec![id] }));
            });
            state.give_back_of(destination, partition);
        });
    }

    /// Gives a partition to every consumer again.
    pub fn assign(&self, destination: &str, partition: u32) {
        self.0.change(|state| {
            let numbers: Vec<u64> = state.members.keys().copied().collect();
            for number in numbers {
                let assigned = state.assign(number, destination, partition);
                if let Some(member) = state.members.get_mut(&number) {
                    member.events.push_back(Ok(Event::Assigned(vec![assigned])));
                }
            }
        });
    }
}

/// A temporary error.
pub fn away() -> Error {
    Error::new(ErrorKind::Unavailable, "the broker is away").temporary()
}

/// An error for good, of the message.
pub fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "the broker takes no such message")
}

impl State {
    pub fn note(&mut self, seen: Seen) {
        self.journal.push((Instant::now(), seen));
    }

    pub fn ensure(&mut self, destination: &str, partitions: u32) -> &mut Vec<Vec<Message>> {
        let count = partitions.max(1) as usize;
        self.destinations
            .entry(destination.to_owned())
            .or_insert_with(|| vec![Vec::new(); count])
    }

    pub fn store(&mut self, destination: &str, partitions: u32, message: Message) -> (u32, u64) {
        let all = self.ensure(destination, partitions);
        let partition = message.properties().partition.unwrap_or(0);
        let log = &mut all[partition as usize];
        log.push(message);
        (partition, log.len() as u64 - 1)
    }

    fn each_lane(
        &mut self,
        destination: &str,
        partition: u32,
        mut each: impl FnMut(&mut Member, LaneId),
    ) {
        for member in self.members.values_mut() {
            let found = member.lanes.iter().position(|lane| {
                lane.as_ref()
                    .is_some_and(|l| l.destination == destination && l.partition == partition)
            });
            if let Some(index) = found {
                each(member, LaneId(index as u32));
            }
        }
    }

    fn give_back_of(&mut self, destination: &str, partition: u32) {
        for ((of, _, at), progress) in &mut self.progress {
            if of == destination && *at == partition {
                progress
                    .slots
                    .values_mut()
                    .for_each(|slot| slot.out = None);
            }
        }
    }

    pub fn progress(&mut self, destination: &str, group: &str, partition: u32) -> &mut Progress {
        let key = (destination.to_owned(), group.to_owned(), partition);
        self.progress.entry(key).or_default()
    }

    pub fn assign(&mut self, member: u64, destination: &str, partition: u32) -> AssignedLane {
        self.last_epoch += 1;
        let epoch = self.last_epoch;
        let group = self.members[&member].group.clone().unwrap_or_default();
        let Progress {
            committed, saved, ..
        } = self.progress(destination, &group, partition).clone();
        let lane = LaneRef {
            destination: destination.to_owned(),
            partition,
            epoch,
            cursor: committed,
            paused: false,
        };
        let lanes = &mut self.members.get_mut(&member).expect("a member").lanes;
        let index = lanes
            .iter()
            .position(Option::is_none)
            .unwrap_or(lanes.len());
        if index == lanes.len() {
            lanes.push(None);
        }
        lanes[index] = Some(lane);
        AssignedLane {
            id: LaneId(index as u32),
            lane: Lane {
                destination: destination.into(),
                partition,
            },
            position: Some(committed),
            saved,
            epoch,
        }
    }

    /// The consumer is gone: what it had is delivered again.
    pub fn leave(&mut self, number: u64) {
        self.members.remove(&number);
        for progress in self.progress.values_mut() {
            let its = progress.slots.values_mut();
            its.filter(|slot| slot.out == Some(number))
                .for_each(|slot| slot.out = None);
        }
    }

    /// Whether the lane of this settlement is the consumer's.
    pub fn owns(&self, number: u64, settlement: &Settlement) -> bool {
        let lanes = self.members.get(&number).map(|member| &member.lanes);
        let lane = lanes.and_then(|lanes| lanes.get(settlement.lane.0 as usize)?.as_ref());
        lane.is_some_and(|lane| lane.epoch == settlement.epoch)
    }

    /// One settlement of this consumer.
    pub fn settle(&mut self, number: u64, settlement: &Settlement) -> Result<(), SettleError> {
        if let Some(error) = self.script.settle.as_mut().and_then(|fail| fail(settlement)) {
            return Err(error);
        }
        if !self.owns(number, settlement) {
            return Err(SettleError::Lost);
        }
        let member = &self.members[&number];
        let lane = member.lanes[settlement.lane.0 as usize].clone();
        let lane = lane.ok_or(SettleError::Lost)?;
        let group = member.group.clone().unwrap_or_default();
        let progress = self.progress(&lane.destination, &group, lane.partition);
        if !progress.apply(settlement) {
            return Err(SettleError::Lost);
        }
        let is_end = !matches!(
            settlement.action,
            Action::Hold { .. } | Action::Extend(_) | Action::Commit { .. }
        );
        if let Some(member) = self.members.get_mut(&number) {
            member.out = member.out.saturating_sub(usize::from(is_end));
        }
        self.note(Seen::Settled(settlement.clone()));
        Ok(())
    }
}

impl Progress {
    /// False if there is nothing to settle.
    fn apply(&mut self, settlement: &Settlement) -> bool {
        if let Action::Commit { saved } = &settlement.action {
            self.committed = settlement.position;
            self.saved.clone_from(saved);
            return true;
        }
        let Some(slot) = self.slots.get_mut(&settlement.position) else {
            return false;
        };
        match &settlement.action {
            Action::Release { after, attempts } => {
                slot.attempts = *attempts;
                slot.due = None;
                slot.out = None;
                slot.not_before = (!after.is_zero()).then(|| Instant::now() + *after);
            }
            Action::Hold { due, attempts } => {
                slot.attempts = *attempts;
                slot.due = Some(*due);
            }
            Action::Extend(_) => {}
            _ => {
                self.slots.remove(&settlement.position);
            }
        }
        true
    }
}
