//! Short forms for the tests of this folder.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mq_core::{
    binder::{
        Action, AssignedLane, Binder, Browsed, Consumer, ConsumerSpec, Cursor, Event, Producer,
        ProducerSpec, Record, SettleError, Settlement, Unsettled,
    },
    clock::Clock,
    config::{Config, Node},
    error::Error,
    message::Message,
};
use mq_memory::MemoryBinder;
use tokio::time::timeout;

/// Longer than anything takes; under paused time it costs nothing.
pub(crate) const LONG: Duration = Duration::from_secs(3_600);

/// A clock that follows paused time.
pub(crate) fn clock() -> Clock {
    Clock::starting_at(epoch(1_000_000))
}

pub(crate) fn epoch(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A consumer with its settling half.
pub(crate) struct Reader {
    pub(crate) consumer: Box<dyn Consumer>,
    pub(crate) lanes: Vec<AssignedLane>,
}

impl Reader {
    pub(crate) async fn new(binder: &MemoryBinder, spec: &ConsumerSpec) -> Self {
        let mut consumer = binder.consumer(spec).await.unwrap();
        let Event::Assigned(lanes) = consumer.receive(&mut Vec::new(), 1).await.unwrap() else {
            panic!("the first event is an assignment");
        };
        Self { consumer, lanes }
    }

    /// Reads `destination` as `group` from the earliest message.
    pub(crate) async fn of(binder: &MemoryBinder, destination: &str, group: &str) -> Self {
        Self::new(binder, &ConsumerSpec::new(destination, Some(group))).await
    }

    /// The next event, with the records that it brought.
    pub(crate) async fn event(&mut self, max: usize) -> (Event, Vec<Record>) {
        let mut records = Vec::new();
        let event = timeout(LONG, self.consumer.receive(&mut records, max)).await;
        (event.expect("something happens").unwrap(), records)
    }

    /// Exactly `count` records, in as many calls as it takes.
    pub(crate) async fn next(&mut self, count: usize) -> Vec<Record> {
        let mut records = Vec::new();
        while records.len() < count {
            let (event, more) = self.event(count - records.len()).await;
            assert!(matches!(event, Event::Messages), "{event:?}");
            records.extend(more);
        }
        records
    }

    /// What there is at the moment.
    pub(crate) async fn now(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        match poll_once(self.consumer.receive(&mut records, 10_000)).await {
            Some(event) => assert!(matches!(event.unwrap(), Event::Messages)),
            None => assert!(records.is_empty()),
        }
        records
    }

    pub(crate) async fn settle(&self, record: &Record, action: Action) -> Vec<Unsettled> {
        self.settle_all(&[settlement(record, action)]).await
    }

    pub(crate) async fn settle_all(&self, settlements: &[Settlement]) -> Vec<Unsettled> {
        self.consumer.settler().settle(settlements).await.unwrap()
    }

    pub(crate) async fn ack(&self, records: &[Record]) {
        let settlements: Vec<_> = records
            .iter()
            .map(|record| settlement(record, Action::Ack))
            .collect();
        let unsettled = self.settle_all(&settlements).await;
        assert!(unsettled.is_empty(), "{unsettled:?}");
    }
}

/// Polls a future once.
pub(crate) async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match future.as_mut().poll(cx) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

pub(crate) fn settlement(record: &Record, action: Action) -> Settlement {
    Settlement {
        lane: record.lane,
        position: record.position,
        epoch: record.epoch,
        action,
    }
}

pub(crate) async fn producer(binder: &MemoryBinder, destination: &str) -> Arc<dyn Producer> {
    binder
        .producer(&ProducerSpec::new(destination))
        .await
        .unwrap()
}

/// Publishes and expects that everything is stored.
pub(crate) async fn publish(binder: &MemoryBinder, destination: &str, messages: &[Message]) {
    for result in producer(binder, destination).await.publish(messages).await {
        result.unwrap();
    }
}

pub(crate) fn text(message: impl Into<String>) -> Message {
    Message::new(message.into())
}

pub(crate) fn keyed(key: &str, message: &str) -> Message {
    text(message).key(key.to_owned())
}

/// The payloads, in order.
pub(crate) fn texts(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .map(|record| String::from_utf8_lossy(record.message.as_bytes()).into_owned())
        .collect()
}

/// The numbers of the partitions of these lanes, in order.
pub(crate) fn partitions(lanes: &[AssignedLane]) -> Vec<u32> {
    let mut partitions: Vec<_> = lanes.iter().map(|lane| lane.lane.partition).collect();
    partitions.sort_unstable();
    partitions
}

/// A `native` table.
pub(crate) fn table(toml: &str) -> Node {
    let config = Config::toml(format!("[binders.main]\nkind = 'memory'\n{toml}"));
    config.settings().unwrap().0.binders["main"].rest.clone()
}

/// A release at once, after so many failed attempts.
pub(crate) fn release(attempts: u32) -> Action {
    release_after(Duration::ZERO, attempts)
}

pub(crate) fn release_after(after: Duration, attempts: u32) -> Action {
    Action::Release { after, attempts }
}

pub(crate) fn dead_letter(reason: &str) -> Action {
    Action::DeadLetter {
        reason: reason.to_owned(),
    }
}

pub(crate) fn commit_to(lane: &AssignedLane, position: u64) -> Settlement {
    Settlement {
        lane: lane.id,
        position,
        epoch: lane.epoch,
        action: Action::Commit { saved: None },
    }
}

/// Whether all of these were lost.
pub(crate) fn all_lost(unsettled: &[Unsettled]) -> bool {
    !unsettled.is_empty()
        && unsettled
            .iter()
            .all(|one| matches!(one.error, SettleError::Lost))
}

/// The error of the one settlement that failed.
pub(crate) fn failure(mut unsettled: Vec<Unsettled>) -> Error {
    match unsettled.pop().map(|one| one.error) {
        Some(SettleError::Failed(error)) => error,
        other => panic!("a failed settlement is expected, not {other:?}"),
    }
}

/// A binder on a virtual clock.
pub(crate) fn virtual_binder() -> MemoryBinder {
    MemoryBinder::builder().clock(clock()).build().unwrap()
}

/// Messages with the texts of these numbers.
pub(crate) fn numbered(numbers: std::ops::Range<u32>) -> Vec<Message> {
    numbers.map(|number| text(number.to_string())).collect()
}

/// What is not settled by a group.
pub(crate) async fn lag(binder: &MemoryBinder, destination: &str, group: &str) -> u64 {
    let lag = binder.admin().lag(destination, group).await;
    lag.unwrap().messages
}

/// Every kept message of a destination.
pub(crate) async fn kept(binder: &MemoryBinder, destination: &str) -> Vec<String> {
    let mut cursor = Cursor::default();
    let shown = binder
        .admin()
        .browse(destination, &mut cursor, 1_000_000)
        .await;
    let text = |shown: &Browsed| String::from_utf8_lossy(shown.message.as_bytes()).into_owned();
    shown.unwrap().iter().map(text).collect()
}
