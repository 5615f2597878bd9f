//! The client that sends, for all producers of an instance.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
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
    deliveries::{MAX_CALL, refused},
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
    client: Mutex<Arc<Client>>,
    /// Calls are sent in the order in which they were first polled.
    turn: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl Sender {
    pub(crate) fn new(config: ClientConfig, link: &Arc<Link>, max_message: u64) -> Result<Self> {
        let client = connect(&config, link)?;
        Ok(Self {
            config,
            link: link.clone(),
            max_message,
            client: Mutex::new(Arc::new(client)),
            turn: tokio::sync::Mutex::default(),
        })
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
        let turn = self.turn.lock().await;
        let client = match self.client() {
            Ok(client) => client,
            Err(error) => return all(messages, &error),
        };
        let deliveries = &client.context().hooks;
        let begun = deliveries.begin(messages.len());
        for (index, message) in messages.iter().enumerate() {
            let token = begun.token(index);
            if let Err(error) = self.send(&client, destination, message, token).await {
                deliveries.end(token, Err(error));
            }
        }
        drop(turn);
        tokio::select! {
            biased;
            results = begun.done => results.unwrap_or_else(|_| all(messages, &error::closed())),
            error = self.link.closing() => all(messages, &error),
        }
    }

    async fn send(
        &self,
        client: &Client,
        destination: &str,
        message: &Message,
        token: usize,
    ) -> Result<()> {
        loop {
            let room = client.context().hooks.room();
            match put(client, destination, message, token, self.max_message) {
                Err(error) if error.kind() == ErrorKind::Full => {
                    tokio::select! {
                        () = room => {}
                        error = self.link.closing() => return Err(error),
                    }
                }
                result => return result,
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
