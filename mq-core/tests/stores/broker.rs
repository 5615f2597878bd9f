//! A broker for tests of the relay: keeps what was published, and fails as it is told.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use mq_core::{
    binder::{Producer, Receipt},
    error::{Error, ErrorKind, Result},
    message::Message,
    outbox::{OutboxMessage, OutboxPublisher, OutboxStore, Relay, RelayOptions},
};
use tokio::time::{Instant, sleep};

pub(crate) const OUTPUT: &str = "orders";

/// One message as the broker has stored it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) key: Option<Bytes>,
    pub(crate) id: String,
}

/// A broker with one destination for each output.
#[derive(Default)]
pub(crate) struct Broker {
    sent: Mutex<Vec<Sent>>,
    faults: Mutex<HashMap<String, VecDeque<Error>>>,
    pub(crate) away: AtomicBool,
    pub(crate) stuck: AtomicBool,
    pub(crate) calls: AtomicUsize,
    pub(crate) latency: Mutex<Duration>,
}

impl Broker {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The message with this id fails with this error, the next time.
    pub(crate) fn fail(&self, id: &str, error: Error) {
        let mut faults = lock(&self.faults);
        faults.entry(id.to_owned()).or_default().push_back(error);
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        lock(&self.sent).clone()
    }

    /// How many messages are stored.
    pub(crate) fn count(&self) -> usize {
        lock(&self.sent).len()
    }

    /// The ids in the order in which each had its first effect.
    pub(crate) fn effects(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let ids = self.sent().into_iter().map(|sent| sent.id);
        ids.filter(|id| seen.insert(id.clone())).collect()
    }

    /// The first effects of one key.
    pub(crate) fn effects_of(&self, key: &str) -> Vec<String> {
        let start = format!("{key}-");
        let effects = self.effects().into_iter();
        effects.filter(|id| id.starts_with(&start)).collect()
    }

    fn store(&self, message: &Message) -> Result<Receipt> {
        let id = message.as_id().expect("an id").to_string();
        if let Some(error) = lock(&self.faults)
            .get_mut(&id)
            .and_then(VecDeque::pop_front)
        {
            return Err(error);
        }
        let key = message.as_key().cloned();
        lock(&self.sent).push(Sent { key, id });
        Ok(Receipt::default())
    }
}

#[async_trait]
impl Producer for Broker {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let latency = *lock(&self.latency);
        sleep(latency).await;
        while self.stuck.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(10)).await;
        }
        if self.away.load(Ordering::SeqCst) {
            return messages.iter().map(|_| Err(away())).collect();
        }
        let mut failed = HashSet::new();
        let mut results = Vec::new();
        for message in messages {
            let result = match failed.contains(&message.as_key()) {
                true => Err(busy()),
                false => self.store(message),
            };
            // As the contract says: only temporary failures stop later messages of the key.
            if result.as_ref().is_err_and(Error::is_temporary) {
                failed.insert(message.as_key());
            }
            results.push(result);
        }
        results
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds this")
}

pub(crate) fn away() -> Error {
    Error::new(ErrorKind::Unavailable, "the broker is away").temporary()
}

pub(crate) fn busy() -> Error {
    Error::new(ErrorKind::Full, "the queue is full").temporary()
}

pub(crate) fn refused() -> Error {
    Error::new(ErrorKind::Rejected, "the broker does not like it")
}

/// The `number`-th message of `key`, for the output of most tests.
pub(crate) fn message(key: &str, number: usize) -> OutboxMessage {
    message_for(OUTPUT, key, number)
}

pub(crate) fn message_for(output: &str, key: &str, number: usize) -> OutboxMessage {
    let message = Message::new("x").key(key.to_owned());
    OutboxMessage::new(output, message.id(id(key, number)))
}

pub(crate) fn id(key: &str, number: usize) -> String {
    format!("{key}-{number:04}")
}

pub(crate) fn ids(key: &str, numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| id(key, number)).collect()
}

/// Appends the first `count` messages of each key, one key after the other in turn.
pub(crate) async fn append(
    store: &dyn OutboxStore,
    keys: &[&str],
    numbers: std::ops::Range<usize>,
) {
    for number in numbers {
        let messages: Vec<_> = keys.iter().map(|key| message(key, number)).collect();
        store.append(&messages).await.expect("appended");
    }
}

/// Outputs of these names, all on this broker.
pub(crate) fn outputs(named: &[(&str, &Arc<Broker>)]) -> Arc<dyn OutboxPublisher> {
    let outputs: HashMap<Arc<str>, Arc<dyn Producer>> = named
        .iter()
        .map(|(name, broker)| ((*name).into(), (*broker).clone() as Arc<dyn Producer>))
        .collect();
    Arc::new(outputs)
}

pub(crate) fn relay(
    store: Arc<dyn OutboxStore>,
    broker: &Arc<Broker>,
    options: RelayOptions,
) -> Relay {
    Relay::new("test", store, outputs(&[(OUTPUT, broker)]), options)
}

/// A relay in a task of its own.
pub(crate) struct Running {
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<mq_core::outbox::RelayEnd>>,
    pub(crate) monitor: mq_core::outbox::RelayMonitor,
}

impl Running {
    pub(crate) fn start(relay: Relay) -> Self {
        let monitor = relay.monitor();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let stopped = async move {
            let _ended = stopped.await;
        };
        Self {
            stop,
            task: tokio::spawn(relay.run(stopped)),
            monitor,
        }
    }

    /// Stops in order.
    pub(crate) async fn stop(self) -> Result<mq_core::outbox::RelayEnd> {
        let _running = self.stop.send(());
        self.task.await.expect("the relay does not panic")
    }

    /// Ends as a killed process does: nothing is said to anybody.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _cancelled = self.task.await;
    }

    pub(crate) async fn ended(self) -> Result<mq_core::outbox::RelayEnd> {
        let Self { stop, task, .. } = self;
        let ended = task.await.expect("the relay does not panic");
        drop(stop);
        ended
    }
}

/// Waits until `holds`, for an hour of virtual time.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(3600);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn rows(store: &dyn OutboxStore) -> usize {
    store.stats().await.expect("stats").rows
}
