//! The thread that polls the client.

mod assign;
mod command;
mod trouble;
mod watch;

use std::{
    sync::Arc,
    thread::{Builder, park_timeout},
    time::{Duration, Instant},
};

use mq_core::{
    binder::{Event, LaneId, Record},
    error::{Error, Result},
};
use rdkafka::{TopicPartitionList, error::KafkaError, message::BorrowedMessage};
use tokio::{runtime::Handle, sync::oneshot};

use super::{Shared, fill::Filler, rebalance::let_go, shared::ClientBox, start::Beginning};
use crate::{admin::KafkaAdmin, error};
use trouble::Trouble;
use watch::Watch;

/// Records that are handed to the loop at once.
const BATCH: usize = 256;
/// Messages that are taken in before the loop is told of them.
const ROUND: usize = 1_024;
/// After so many messages without a gap more are on their way at once.
const BUSY: usize = 64;
/// They gather for this long: a client that is polled whenever one has come wakes this thread for each handful of messages.
const GATHER: Duration = Duration::from_micros(500);
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
    /// A consumer that receives nothing for so long is asked whether there is something.
    pub(super) silence: Duration,
    /// The topics of the subscription.
    pub(super) destinations: Vec<Arc<str>>,
    /// Who looks whether there is.
    pub(super) admin: KafkaAdmin,
}

impl Reader {
    pub(super) fn spawn(self, reading: Reading, done: oneshot::Sender<()>) -> Result<()> {
        let name = format!("mq-kafka-{}", self.shared.binding);
        let running = Builder::new().name(name).spawn(move || {
            Running::new(self).run(&reading);
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

impl Handover {
    /// The loop has let go of these; returns those that are meant: a lane of a handover that was over before may have its number again, for
    /// something else.
    fn release(&mut self, lanes: &[LaneId]) -> Vec<LaneId> {
        let released = self.waiting.extract_if(.., |lane| lanes.contains(lane));
        released.collect()
    }
}

struct Running {
    reader: Reader,
    filler: Filler,
    batch: Vec<Record>,
    handover: Option<Handover>,
    /// Since when the loop has taken nothing.
    blocked: Option<Instant>,
    is_paused: bool,
    watch: Watch,
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
            watch: Watch::default(),
            is_over: false,
        }
    }

    fn shared(&self) -> &Shared {
        &self.reader.shared
    }

    fn run(mut self, reading: &Reading) {
        if let Reading::Alone(partitions) = reading {
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
        let mut polled = 0;
        while polled < ROUND {
            match client.0.poll(wait) {
                None => break,
                Some(Ok(message)) => self.take(&message),
                Some(Err(error)) => self.trouble(&error),
            }
            polled += 1;
            wait = Duration::ZERO;
        }
        if self.flush() {
            self.shared().queue.announce();
        } else if polled == 0 {
            self.filler.rest();
        }
        if (BUSY..ROUND).contains(&polled) {
            // Nothing depends on how long this takes.
            park_timeout(GATHER);
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
        self.watch.received(&full);
        self.batch = self.shared().queue.push_records(full);
        self.filler.seal();
        true
    }

    fn trouble(&mut self, error: &KafkaError) {
        let found = error::classify("reading", error);
        match Trouble::of(error, &found) {
            Trouble::None => {}
            Trouble::End => self.end(&found),
            Trouble::Passing(why) => {
                tracing::debug!(binding = &*self.shared().binding, error = %found.chain(), "{why}");
            }
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
        let copy = self.shared().link.deny(&self.shared().purpose(), copy);
        self.shared().commits.end();
        self.shared().queue.push_event(Event::Ended(copy));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_let_go_of_late_is_not_meant_for_the_next_handover() {
        let mut handover = Handover {
            partitions: TopicPartitionList::new(),
            waiting: vec![LaneId(1), LaneId(2)],
            deadline: Instant::now(),
        };
        assert_eq!(handover.release(&[LaneId(0), LaneId(2)]), [LaneId(2)]);
        assert_eq!(handover.release(&[LaneId(2)]), []);
        assert_eq!(handover.waiting, [LaneId(1)]);
    }
}
