//! The memory binder, with what only a test wants to know.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use mq::{
    binder::{
        Action, Binder, Capability, ConsumerSpec, Cursor, Event, ProducerSpec, SettleError,
        Settlement,
    },
    clock::Clock,
    error::{Error, ErrorKind},
    memory::{Faults, MemoryBinder, MemoryBuilder},
    message::Message,
};
use tokio::{sync::watch, task::unconstrained};

use super::{GROUP, spy::Spy, text};

type OnPublish = Box<dyn FnMut(&str, &Message) -> Option<Error> + Send>;
type OnSettle = Box<dyn FnMut(&Settlement) -> Option<SettleError> + Send>;

/// A memory binder and what was seen of it. Clones are the same.
#[derive(Clone)]
pub(crate) struct Broker {
    pub(crate) memory: MemoryBinder,
    pub(crate) clock: Clock,
    pub(crate) seen: Arc<Seen>,
}

/// What a spy notes, and what it is told to do.
#[derive(Default)]
pub(crate) struct Seen {
    notes: Mutex<Notes>,
    /// Whether confirmations are held back.
    pub(crate) holding: watch::Sender<bool>,
}

#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) settlements: Vec<Settlement>,
    pub(crate) subscriptions: usize,
    pub(crate) receiving: usize,
    pub(crate) pauses: Vec<bool>,
    pub(crate) on_publish: Option<OnPublish>,
    pub(crate) on_settle: Option<OnSettle>,
}

impl Seen {
    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes
            .lock()
            .expect("no test panics while it holds this")
    }
}

/// A temporary error of the broker.
pub(crate) fn away() -> Error {
    Error::new(ErrorKind::Unavailable, "the broker is away").temporary()
}

/// The result of a future that has nothing to wait for.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let future = pin!(unconstrained(future));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the broker lets the test wait"),
    }
}

impl Broker {
    /// With every capability and one partition.
    pub(crate) fn new() -> Self {
        Self::of(|builder| builder)
    }

    /// As the builder is told.
    pub(crate) fn of(change: impl FnOnce(MemoryBuilder) -> MemoryBuilder) -> Self {
        let clock = Clock::starting_at(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let builder = change(MemoryBinder::builder().clock(clock));
        Self {
            memory: builder.build().expect("settings without mistakes"),
            clock,
            seen: Arc::default(),
        }
    }

    /// Without these capabilities.
    pub(crate) fn without(capabilities: &[Capability]) -> Self {
        Self::of(|builder| builder.without(capabilities))
    }

    /// Settles by position, as Kafka does.
    pub(crate) fn positional(partitions: u32) -> Self {
        let state = mq::binder::RetryState::Bounded(4096);
        Self::of(|builder| {
            builder
                .positional()
                .partitions(partitions)
                .retry_state(state)
        })
    }

    /// The binder for an application: another instance on the same broker.
    pub(crate) fn binder(&self) -> Arc<dyn Binder> {
        Arc::new(Spy {
            inner: self.memory.reopened(),
            seen: self.seen.clone(),
        })
    }

    pub(crate) fn faults(&self) -> Faults {
        self.memory.faults()
    }

    /// Publishes a text without a key.
    pub(crate) fn send(&self, destination: &str, text: &str) {
        self.put(destination, Message::new(text.to_owned()));
    }

    /// Publishes a message.
    pub(crate) fn put(&self, destination: &str, message: Message) {
        let producer =
            now(self.memory.producer(&ProducerSpec::new(destination))).expect("a producer");
        let results = now(producer.publish(&[message]));
        assert!(results[0].is_ok(), "{results:?}");
    }

    /// Commits a position of the first partition for the application, as a process before it would have.
    pub(crate) async fn commit(&self, destination: &str, position: u64, saved: Bytes) {
        let spec = ConsumerSpec::new(destination, Some(GROUP));
        let mut consumer = self.memory.consumer(&spec).await.expect("a consumer");
        let event = consumer.receive(&mut Vec::new(), 1).await;
        let Ok(Event::Assigned(lanes)) = event else {
            panic!("lanes come first, not {event:?}");
        };
        let commit = Settlement {
            lane: lanes[0].id,
            position,
            epoch: lanes[0].epoch,
            action: Action::Commit { saved: Some(saved) },
        };
        let unsettled = consumer.settler().settle(&[commit]).await;
        assert!(unsettled.expect("it settles").is_empty());
    }

    /// Publishes texts whose first letter is their key.
    pub(crate) fn send_keyed(&self, destination: &str, texts: &[&str]) {
        for text in texts {
            self.put(
                destination,
                Message::new((*text).to_owned()).key(text[..1].to_owned()),
            );
        }
    }

    /// Everything that a destination keeps, settled messages included.
    pub(crate) fn published(&self, destination: &str) -> Vec<Message> {
        let browsed = now(self
            .memory
            .admin()
            .browse(destination, &mut Cursor::default(), 100_000));
        browsed
            .unwrap_or_default()
            .into_iter()
            .map(|each| each.message)
            .collect()
    }

    /// The payloads of that, as text.
    pub(crate) fn texts(&self, destination: &str) -> Vec<String> {
        self.published(destination).iter().map(text).collect()
    }

    /// How many messages of a destination the application has not settled.
    pub(crate) fn unsettled(&self, destination: &str) -> usize {
        let lag = now(self.memory.admin().lag(destination, GROUP)).expect("the group is there");
        usize::try_from(lag.messages).expect("a short test")
    }

    /// Every settlement that took effect.
    pub(crate) fn settlements(&self) -> Vec<Settlement> {
        self.seen.notes().settlements.clone()
    }

    /// The positions that were settled like this, in that order.
    pub(crate) fn positions(&self, wanted: impl Fn(&Action) -> bool) -> Vec<u64> {
        let all = self.settlements().into_iter();
        all.filter(|settlement| wanted(&settlement.action))
            .map(|settlement| settlement.position)
            .collect()
    }

    /// The positions that were acknowledged, in that order.
    pub(crate) fn acked(&self) -> Vec<u64> {
        self.positions(|action| *action == Action::Ack)
    }

    /// The commits of a positional broker.
    pub(crate) fn commits(&self) -> Vec<u64> {
        self.positions(|action| matches!(action, Action::Commit { .. }))
    }

    /// How often somebody subscribed.
    pub(crate) fn subscriptions(&self) -> usize {
        self.seen.notes().subscriptions
    }

    /// What `publish` answers for a message in place of the broker.
    pub(crate) fn on_publish(
        &self,
        answer: impl FnMut(&str, &Message) -> Option<Error> + Send + 'static,
    ) {
        self.seen.notes().on_publish = Some(Box::new(answer));
    }

    /// What `settle` answers for a settlement in place of the broker.
    pub(crate) fn on_settle(
        &self,
        answer: impl FnMut(&Settlement) -> Option<SettleError> + Send + 'static,
    ) {
        self.seen.notes().on_settle = Some(Box::new(answer));
    }

    /// Whether publications are stored, but not confirmed.
    pub(crate) fn hold_confirmations(&self, hold: bool) {
        self.seen.holding.send_replace(hold);
    }
}
