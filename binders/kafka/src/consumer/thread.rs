//! The thread that polls the client.

use std::{
    sync::Arc,
    thread::Builder,
    time::{Duration, Instant},
};

use mq_core::{
    binder::{AssignedLane, Event, Health, Lane, LaneId, Record},
    error::{Error, Result},
};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::Consumer,
    error::{KafkaError, KafkaResult},
    message::BorrowedMessage,
    types::RDKafkaErrorCode,
};
use tokio::{runtime::Handle, sync::oneshot};

use super::{
    Shared,
    commits::Commit,
    fill::Filler,
    lanes::{LaneState, Slot},
    rebalance::{Change, let_go, take_over},
    shared::{ClientBox, Command},
    start::{Beginning, Origin, origins},
};
use crate::error;

/// Records that are handed to the loop at once.
const BATCH: usize = 256;
/// Messages that are taken in before the loop is told of them.
const ROUND: usize = 1_024;
/// Commands and the state of the connection are looked at this often.
const TICK: Duration = Duration::from_millis(50);
/// Reading is paused when the loop has taken nothing for this long, so that polling can go on.
const BLOCKED: Duration = Duration::from_millis(500);

/// How partitions are shared out.
pub(super) enum Reading {
    /// By the group.
    Group,
    /// All of these, from their ends on.
    Alone(TopicPartitionList),
}

/// What the thread works with.
pub(super) struct Reader {
    pub(super) shared: Arc<Shared>,
    pub(super) client: Arc<ClientBox>,
    pub(super) beginning: Beginning,
    pub(super) runtime: Handle,
    pub(super) handover: Duration,
    /// The subscription ends when the cluster has been away for so long.
    pub(super) patience: Duration,
}

impl Reader {
    pub(super) fn spawn(self, reading: Reading, done: oneshot::Sender<()>) -> Result<()> {
        let name = format!("mq-kafka-{}", self.shared.binding);
        let running = Builder::new().name(name).spawn(move || {
            Running::new(self).run(reading);
            // Nobody waits where the consumer was dropped.
            done.send(()).ok();
        });
        running
            .map(drop)
            .map_err(|error| error::bug("a thread cannot be started").source(error))
    }
}

/// Partitions that go to another member.
struct Handover {
    partitions: TopicPartitionList,
    waiting: Vec<LaneId>,
    deadline: Instant,
}

struct Running {
    reader: Reader,
    filler: Filler,
    batch: Vec<Record>,
    handover: Option<Handover>,
    /// Since when the loop has taken nothing.
    blocked: Option<Instant>,
    is_paused: bool,
    /// Since when the cluster is away.
    away: Option<Instant>,
    is_over: bool,
}

impl Running {
    fn new(reader: Reader) -> Self {
        Self {
            reader,
            filler: Filler::default(),
            batch: Vec::with_capacity(BATCH),
            handover: None,
            blocked: None,
            is_paused: false,
            away: None,
            is_over: false,
        }
    }

    fn shared(&self) -> &Shared {
        &self.reader.shared
    }

    fn run(mut self, reading: Reading) {
        if let Reading::Alone(partitions) = &reading {
            self.assign(partitions);
        }
        while !self.shared().is_stopping() {
            self.commands();
            self.hand_over();
            if self.has_room() || self.is_paused {
                self.receive();
            }
            self.changes();
            self.watch();
        }
        self.leave();
    }

    /// Whether the loop keeps up. If it does not for a while, reading is paused and polling goes on.
    fn has_room(&mut self) -> bool {
        if self.is_over {
            return true;
        }
        if self.is_paused {
            if self.shared().queue.has_room() {
                self.is_paused = false;
                self.blocked = None;
                self.switch_all(false);
            }
            return true;
        }
        if self.shared().queue.wait_for_room(TICK) {
            self.blocked = None;
            return true;
        }
        let since = *self.blocked.get_or_insert_with(Instant::now);
        if since.elapsed() > BLOCKED {
            self.is_paused = true;
            self.switch_all(true);
        }
        false
    }

    /// Polls until nothing is there, or there is enough for a while.
    fn receive(&mut self) {
        let client = self.reader.client.clone();
        let mut wait = TICK;
        for _ in 0..ROUND {
            match client.0.poll(wait) {
                None => break,
                Some(Ok(message)) => self.take(&message),
                Some(Err(error)) => self.trouble(&error),
            }
            wait = Duration::ZERO;
        }
        if self.flush() {
            self.shared().queue.announce();
        }
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        if self.is_over {
            return;
        }
        if let Some(record) = self.filler.record(message, &self.reader.shared) {
            // A batch is of one lane, so that the lanes can take turns.
            let last = self.batch.last();
            if self.batch.len() >= BATCH || last.is_some_and(|last| last.lane != record.lane) {
                self.flush();
            }
            self.batch.push(record);
        }
    }

    /// Hands over what there is, the last message of a round at the latest; false if there is nothing.
    fn flush(&mut self) -> bool {
        if self.batch.is_empty() {
            return false;
        }
        let full = std::mem::take(&mut self.batch);
        self.batch = self.shared().queue.push_records(full);
        self.filler.seal();
        true
    }

    fn trouble(&mut self, error: &KafkaError) {
        let code = error.rdkafka_error_code();
        if matches!(error, KafkaError::PartitionEOF(_))
            || code == Some(RDKafkaErrorCode::AllBrokersDown)
        {
            return;
        }
        let found = error::classify("reading", error);
        let ends = matches!(error, KafkaError::MessageConsumptionFatal(_))
            || code == Some(RDKafkaErrorCode::PollExceeded)
            || code == Some(RDKafkaErrorCode::AutoOffsetReset)
            || code == Some(RDKafkaErrorCode::OffsetOutOfRange)
            || !found.is_temporary();
        if ends {
            self.end(&found);
        } else {
            tracing::debug!(binding = &*self.shared().binding, error = %found.chain(), "reading goes on after an error");
        }
    }

    /// The subscription has ended; the thread polls on until the loop has let go.
    fn end(&mut self, error: &Error) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        self.batch.clear();
        self.shared().queue.clear();
        let copy = error::copy(error).context("binding", &self.shared().binding);
        self.shared().commits.end();
        self.shared().queue.push_event(Event::Ended(copy));
    }

    /// Ends the subscription when the cluster has been away for too long, or has refused.
    fn watch(&mut self) {
        if let Some(error) = self.reader.client.0.context().hooks.take_refusal() {
            let error = error::classify("reading", &error);
            self.end(&error);
        }
        if matches!(self.shared().link.health(), Health::Down(_)) {
            let since = *self.away.get_or_insert_with(Instant::now);
            if since.elapsed() > self.reader.patience {
                self.end(&error::cut());
            }
        } else {
            self.away = None;
        }
    }

    fn leave(self) {
        let Self {
            reader, handover, ..
        } = self;
        if let Some(handover) = handover {
            drop(let_go(&reader.client.0, &handover.partitions));
        }
        reader.shared.commits.end();
        reader
            .shared
            .queue
            .push_event(Event::Ended(error::closed()));
        // Dropping the client leaves the group; whoever holds it at this moment does so for the length of a call.
        drop(reader);
    }
}

/// Partitions that come and go.
impl Running {
    fn changes(&mut self) {
        for change in self.reader.client.0.context().hooks.take() {
            match change {
                Change::Assign(partitions) => self.assign(&partitions),
                Change::Revoke(partitions) => self.revoke(partitions),
            }
            self.filler.forget();
        }
    }

    fn assign(&mut self, partitions: &TopicPartitionList) {
        if let Err(error) = self.try_assign(partitions) {
            let error = error::classify("taking partitions over", &error);
            // Librdkafka waits for an answer; the subscription ends anyway.
            drop(take_over(&self.reader.client.0, &TopicPartitionList::new()));
            self.end(&if error.is_temporary() {
                error
            } else {
                error.temporary()
            });
        }
    }

    fn try_assign(&mut self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        let (shared, client) = (&self.reader.shared, &self.reader.client.0);
        let has_group = shared.group.is_some();
        let found = if partitions.count() == 0 {
            Vec::new()
        } else {
            origins(
                client,
                partitions,
                &self.reader.beginning,
                has_group,
                shared.timeout,
            )?
        };
        let mut list = TopicPartitionList::new();
        for origin in &found {
            list.add_partition_offset(&origin.topic, origin.partition, offset(origin.position))?;
        }
        if has_group {
            take_over(client, &list)?;
        } else {
            client.assign(&list)?;
        }
        if self.is_paused {
            client.pause(&list)?;
        }
        let lanes: Vec<_> = found.iter().map(|origin| self.lane(origin)).collect();
        self.settle_new(&found, &lanes);
        self.shared().queue.push_event(Event::Assigned(lanes));
        Ok(())
    }

    fn lane(&self, origin: &Origin) -> AssignedLane {
        let (id, epoch) = self
            .shared()
            .lanes()
            .assign(&origin.topic, origin.partition);
        AssignedLane {
            id,
            lane: Lane {
                destination: origin.topic.clone(),
                partition: u32::try_from(origin.partition).unwrap_or_default(),
            },
            position: Some(origin.position),
            saved: origin.saved.clone(),
            epoch,
        }
    }

    /// Commits where a new group begins, so that a crash before its first commit begins there again.
    fn settle_new(&self, found: &[Origin], lanes: &[AssignedLane]) {
        let new = found.iter().zip(lanes).filter(|(origin, _)| origin.is_new);
        let commits: Vec<_> = new
            .map(|(origin, lane)| Commit {
                lane: lane.id,
                epoch: lane.epoch,
                topic: origin.topic.clone(),
                partition: origin.partition,
                position: origin.position,
                notes: None,
            })
            .collect();
        if commits.is_empty() || self.shared().group.is_none() {
            return;
        }
        let (shared, client) = (self.reader.shared.clone(), self.reader.client.clone());
        // Nobody waits for it; a commit of the loop that comes before it is sent takes its place.
        if let Ok((_, true)) = shared.commits.add(commits) {
            let running = move || shared.commits.run(&shared, &client.0);
            drop(self.reader.runtime.spawn_blocking(running));
        }
    }

    fn revoke(&mut self, partitions: TopicPartitionList) {
        let lanes = self.lanes_of(&partitions);
        self.shared().queue.purge(&lanes);
        self.batch.retain(|record| !lanes.contains(&record.lane));
        if self.reader.client.0.assignment_lost() || self.is_over || lanes.is_empty() {
            self.lose(lanes);
            self.let_go(&partitions);
            return;
        }
        let mut table = self.shared().lanes();
        for lane in &lanes {
            table.set(*lane, LaneState::Revoking);
        }
        drop(table);
        self.handover = Some(Handover {
            partitions,
            waiting: lanes.clone(),
            deadline: Instant::now() + self.reader.handover,
        });
        let budget = self.reader.handover;
        self.shared()
            .queue
            .push_event(Event::Revoking { lanes, budget });
    }

    /// Ends a handover when the loop is done with it, or its time is over.
    fn hand_over(&mut self) {
        let Some(handover) = &self.handover else {
            return;
        };
        let is_lost = self.reader.client.0.assignment_lost();
        let is_late = handover.deadline <= Instant::now();
        if !handover.waiting.is_empty() && !is_late && !is_lost && !self.is_over {
            return;
        }
        if let Some(handover) = self.handover.take() {
            self.lose(handover.waiting);
            self.let_go(&handover.partitions);
        }
    }

    fn let_go(&self, partitions: &TopicPartitionList) {
        if let Err(error) = let_go(&self.reader.client.0, partitions) {
            tracing::warn!(binding = &*self.shared().binding, %error, "partitions cannot be given up");
        }
    }

    fn lose(&self, lanes: Vec<LaneId>) {
        if lanes.is_empty() {
            return;
        }
        let mut table = self.shared().lanes();
        for lane in &lanes {
            table.set(*lane, LaneState::Free);
        }
        drop(table);
        self.shared().queue.push_event(Event::Lost { lanes });
    }

    fn lanes_of(&self, partitions: &TopicPartitionList) -> Vec<LaneId> {
        let table = self.shared().lanes();
        let elements = partitions.elements().into_iter();
        elements
            .filter_map(|element| table.find(element.topic(), element.partition()))
            .collect()
    }
}

/// What the loop asks for.
impl Running {
    fn commands(&mut self) {
        for command in self.shared().commands() {
            match command {
                Command::Released { lanes, reply } => drop(reply.send(self.released(&lanes))),
                Command::Pause { lanes, reply } => drop(reply.send(self.pause(&lanes))),
                Command::Resume { lanes, reply } => drop(reply.send(self.resume(&lanes))),
                Command::Seek {
                    lane,
                    position,
                    reply,
                } => drop(reply.send(self.seek(lane, position))),
            }
            self.filler.forget();
        }
    }

    fn released(&mut self, lanes: &[LaneId]) -> Result<()> {
        let Some(handover) = &mut self.handover else {
            return Err(error::lost());
        };
        handover.waiting.retain(|lane| !lanes.contains(lane));
        let mut table = self.reader.shared.lanes();
        for lane in lanes {
            table.set(*lane, LaneState::Free);
        }
        Ok(())
    }

    fn pause(&mut self, lanes: &[LaneId]) -> Result<()> {
        let slots = self.slots(lanes)?;
        self.switch(&slots, true)?;
        self.mark(lanes, LaneState::Paused);
        let purged = self.shared().queue.purge(lanes);
        // What was fetched and not handed over is fetched again after the pause.
        for (lane, position) in purged {
            self.seek_to(lane, position)?;
        }
        Ok(())
    }

    fn resume(&mut self, lanes: &[LaneId]) -> Result<()> {
        let slots = self.slots(lanes)?;
        self.mark(lanes, LaneState::Reading);
        if self.is_paused {
            return Ok(());
        }
        self.switch(&slots, false)
    }

    fn seek(&mut self, lane: LaneId, position: u64) -> Result<()> {
        self.slots(&[lane])?;
        self.seek_to(lane, position)?;
        self.shared().queue.purge(&[lane]);
        self.batch.retain(|record| record.lane != lane);
        Ok(())
    }

    fn seek_to(&self, lane: LaneId, position: u64) -> Result<()> {
        let slots = self.slots(&[lane])?;
        for slot in slots {
            let timeout = self.shared().timeout;
            self.reader
                .client
                .0
                .seek(&slot.topic, slot.partition, offset(position), timeout)
                .map_err(|error| error::classify("seeking", &error))?;
        }
        Ok(())
    }

    fn slots(&self, lanes: &[LaneId]) -> Result<Vec<Slot>> {
        let table = self.shared().lanes();
        let slot = |lane: &LaneId| table.get(*lane).cloned().ok_or_else(error::lost);
        lanes.iter().map(slot).collect()
    }

    fn mark(&self, lanes: &[LaneId], state: LaneState) {
        let mut table = self.shared().lanes();
        for lane in lanes {
            table.set(*lane, state);
        }
    }

    fn switch(&self, slots: &[Slot], pause: bool) -> Result<()> {
        let mut list = TopicPartitionList::new();
        for slot in slots {
            list.add_partition(&slot.topic, slot.partition);
        }
        let client = &self.reader.client.0;
        let switched = if pause {
            client.pause(&list)
        } else {
            client.resume(&list)
        };
        switched.map_err(|error| error::classify("pausing", &error))
    }

    /// Pauses or resumes every lane that the loop has not paused itself.
    fn switch_all(&self, pause: bool) {
        let assigned = self.shared().lanes().assigned();
        let reading = assigned.into_iter().map(|(_, slot)| slot);
        let reading: Vec<_> = reading
            .filter(|slot| slot.state == LaneState::Reading)
            .collect();
        if let Err(error) = self.switch(&reading, pause) {
            tracing::debug!(binding = &*self.shared().binding, error = %error.chain(), pause, "lanes were lost meanwhile");
        }
    }
}

fn offset(position: u64) -> Offset {
    Offset::Offset(i64::try_from(position).unwrap_or(i64::MAX))
}
