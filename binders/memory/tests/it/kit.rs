//! Short forms for the tests of this folder.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mq_core::{
    binder::{
        Action, AssignedLane, Binder, Consumer, ConsumerSpec, Event, LaneId, Producer,
        ProducerSpec, Record, Settlement, Unsettled,
    },
    clock::Clock,
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
        let mut unpolled = tokio_test_poll(self.consumer.receive(&mut records, 10_000)).await;
        match unpolled.take() {
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
async fn tokio_test_poll<T>(future: impl Future<Output = T>) -> Option<T> {
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

pub(crate) fn lane(number: u32) -> LaneId {
    LaneId(number)
}
