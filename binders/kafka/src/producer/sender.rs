//! The client that sends, for all producers of an instance.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mq_core::{
    binder::Receipt,
    error::{Error, ErrorKind, Result},
    message::Message,
};
use rdkafka::{
    ClientConfig,
    config::FromClientConfigAndContext,
    error::KafkaError,
    producer::{BaseRecord, Producer, ThreadedProducer},
    types::RDKafkaErrorCode,
};

use super::{
    Deliveries,
    deliveries::{Begun, MAX_CALL, refused},
    letters,
};
use crate::{
    client::{Context, Link},
    error,
    headers::{self, SpringPartitioner},
};

pub(crate) type Client = ThreadedProducer<Context<Deliveries>, SpringPartitioner>;

/// Sends messages, each call in order.
pub(crate) struct Sender {
    config: ClientConfig,
    link: Arc<Link>,
    max_message: u64,
    timeout: Duration,
    client: Mutex<Arc<Client>>,
    /// How many calls wait for room in the client's queue, or behind one that does.
    waiting: AtomicUsize,
    /// Those are sent in the order in which they were first polled.
    turn: tokio::sync::Mutex<()>,
}

/// A call that is being sent.
struct Sending<'a> {
    client: &'a Client,
    destination: &'a str,
    messages: &'a [Message],
    begun: &'a Begun,
    max_message: u64,
    /// The first message that is not sent yet.
    next: usize,
}

/// A call that is counted as waiting.
struct Counted<'a>(&'a AtomicUsize);

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl Sender {
    pub(crate) fn new(
        config: ClientConfig,
        link: &Arc<Link>,
        max_message: u64,
        timeout: Duration,
    ) -> Result<Self> {
        let client = connect(&config, link)?;
        Ok(Self {
            config,
            link: link.clone(),
            max_message,
            timeout,
            client: Mutex::new(Arc::new(client)),
            waiting: AtomicUsize::new(0),
            turn: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Publishes messages; a result for each.
    pub(crate) async fn publish(
        &self,
        destination: &str,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        if messages.is_empty() {
            return Vec::new();
        }
        if self.link.is_closed() || messages.len() > MAX_CALL {
            return messages.iter().map(|_| Err(error::closed())).collect();
        }
        let client = match self.client() {
            Ok(client) => client,
            Err(error) => return all(messages, &error),
        };
        let placing = letters::placed(&client, destination, messages, self.timeout);
        let placed = match placing.await {
            Ok(placed) => placed,
            Err(error) => return all(messages, &error),
        };
        let messages = &*placed;
        let begun = client.context().hooks.begin(messages.len());
        let mut sending = Sending {
            client: &client,
            destination,
            messages,
            begun: &begun,
            max_message: self.max_message,
            next: 0,
        };
        // Nobody waits: whoever is polled now is next, and no lock is needed to say so.
        let is_free = self.waiting.load(Ordering::Acquire) == 0;
        if is_free && sending.put_all() {
            drop(sending);
        } else {
            self.wait_and_put(sending).await;
        }
        tokio::select! {
            biased;
            results = begun.done => results.unwrap_or_else(|_| all(messages, &error::closed())),
            error = self.link.closing() => all(messages, &error),
        }
    }

    /// Sends the rest of a call as room becomes free; others wait behind it.
    #[cold]
    async fn wait_and_put(&self, mut sending: Sending<'_>) {
        let _counted = Counted::new(&self.waiting);
        let _turn = self.turn.lock().await;
        loop {
            let room = sending.client.context().hooks.room();
            if sending.put_all() {
                return;
            }
            tokio::select! {
                () = room.wait() => {}
                _ = self.link.closing() => return,
            }
        }
    }

    /// The client; another one if the last has met an error that it cannot go on after.
    fn client(&self) -> Result<Arc<Client>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((code, reason)) = client.client().fatal_error() {
            tracing::warn!(binder = self.link.name(), %code, reason, "the producer begins again");
            *client = Arc::new(connect(&self.config, &self.link)?);
        }
        Ok(client.clone())
    }

    /// Waits for what is on its way; blocks.
    pub(crate) fn flush(&self, patience: Duration) -> Result<()> {
        let client = self
            .client
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        client
            .flush(patience)
            .map_err(|error| error::classify("flushing", &error))
    }
}

impl Sending<'_> {
    /// Sends what there is room for; false if something is left.
    fn put_all(&mut self) -> bool {
        while let Some(message) = self.messages.get(self.next) {
            let token = self.begun.token(self.next);
            match put(
                self.client,
                self.destination,
                message,
                token,
                self.max_message,
            ) {
                Err(error) if error.kind() == ErrorKind::Full => return false,
                Err(error) => self.client.context().hooks.end(token, Err(error)),
                Ok(()) => {}
            }
            self.next += 1;
        }
        true
    }
}

/// What was not sent when a call is given up will not be.
impl Drop for Sending<'_> {
    fn drop(&mut self) {
        for index in self.next..self.messages.len() {
            let token = self.begun.token(index);
            self.client.context().hooks.end(token, Err(error::closed()));
        }
    }
}

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn connect(config: &ClientConfig, link: &Arc<Link>) -> Result<Client> {
    Client::from_config_and_context(config, Context::new(link, Deliveries::default()))
        .map_err(|error| error::classify("connecting", &error))
}

fn all(messages: &[Message], error: &Error) -> Vec<Result<Receipt>> {
    messages.iter().map(|_| Err(error::copy(error))).collect()
}

/// Puts a message into the client's queue.
pub(crate) fn put(
    client: &Client,
    destination: &str,
    message: &Message,
    token: usize,
    max_message: u64,
) -> Result<()> {
    let properties = message.properties();
    if properties.deliver_at.is_some() {
        return Err(error::unsupported("delayed delivery"));
    }
    if properties.priority.is_some() {
        return Err(error::unsupported("priorities"));
    }
    let size = message.size() as u64;
    if size > max_message {
        let text = format!(
            "the message has {size} bytes, and `max_message` is {max_message}; raise it here and `message.max.bytes` of the topic, or send less"
        );
        return Err(Error::new(ErrorKind::TooLarge, text));
    }
    let topic = properties.destination.as_deref().unwrap_or(destination);
    let mut record = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, token);
    if let Some(payload) = message.as_payload() {
        record = record.payload(&payload[..]);
    }
    if let Some(key) = message.as_key() {
        record = record.key(&key[..]);
    }
    if let Some(partition) = properties.partition {
        record = record.partition(i32::try_from(partition).unwrap_or(i32::MAX));
    }
    if let Some(time) = message.as_timestamp() {
        record = record.timestamp(headers::millis(time));
    }
    record.headers = headers::write(client.context().link.headers(), message);
    match client.send(record) {
        Ok(()) => Ok(()),
        Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
            Err(Error::new(ErrorKind::Full, "the queue is full").temporary())
        }
        Err((error, _)) => Err(refused(&error)),
    }
}
