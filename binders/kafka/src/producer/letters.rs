//! Dead letters, and what comes back from them, keep the partition of the original.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use mq_core::{
    error::Result,
    message::{Message, names},
};
use rdkafka::{error::IsError, producer::Producer, types::RDKafkaErrorCode};
use tokio::task::spawn_blocking;

use super::Client;
use crate::error;

/// Counts are asked for again after this time: a topic may grow, or be made anew.
const KEEP: Duration = Duration::from_secs(10);

/// How many partitions topics have to which letters were sent lately.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<HashMap<Arc<str>, (Instant, u32)>>);

impl Counts {
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, (Instant, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, topic: &str) -> Option<u32> {
        let counts = self.lock();
        let (at, count) = counts.get(topic)?;
        (at.elapsed() < KEEP).then_some(*count)
    }

    fn set(&self, topic: &str, count: u32) {
        let mut counts = self.lock();
        counts.retain(|_, (at, _)| at.elapsed() < KEEP);
        counts.insert(topic.into(), (Instant::now(), count));
    }
}

/// The partition of the original, if the message is a dead letter, or was one, and nobody has chosen a partition for it.
pub(crate) fn origin(message: &Message) -> Option<u32> {
    let headers = message.as_headers();
    if headers.is_empty() || message.properties().partition.is_some() {
        return None;
    }
    headers.get(names::ERROR_REASON)?;
    headers.parse(names::ORIGINAL_PARTITION)
}

/// The messages with the partitions of their originals, where their topics have such partitions; the others are left to their keys.
///
/// Nothing has happened when the future is dropped.
pub(crate) async fn placed<'a>(
    client: &Arc<Client>,
    destination: &str,
    messages: &'a [Message],
    patience: Duration,
) -> Result<Cow<'a, [Message]>> {
    // Most calls carry none.
    if !messages.iter().any(|message| origin(message).is_some()) {
        return Ok(Cow::Borrowed(messages));
    }
    let mut placed = messages.to_vec();
    for message in &mut placed {
        let Some(partition) = origin(message) else {
            continue;
        };
        let topic = message.properties().destination.clone();
        let topic = topic.as_deref().unwrap_or(destination);
        if partition < count(client, topic, patience).await? {
            message.properties_mut().partition = Some(partition);
        }
    }
    Ok(Cow::Owned(placed))
}

/// How many partitions a topic has; 0 if there is no such topic, or it may not be looked at: sending says why.
async fn count(client: &Arc<Client>, topic: &str, patience: Duration) -> Result<u32> {
    let link = client.context().link.clone();
    if let Some(count) = link.counts().get(topic) {
        return Ok(count);
    }
    let (client, name) = (client.clone(), topic.to_owned());
    let asking = spawn_blocking(move || ask(&client, &name, patience));
    let asked = asking
        .await
        .map_err(|error| error::bug("asking for partitions ended early").source(error))?;
    let count = asked.map_err(|error| link.explain(error))?;
    link.counts().set(topic, count);
    Ok(count)
}

fn ask(client: &Client, topic: &str, patience: Duration) -> Result<u32> {
    let what = "asking for the partitions of a topic";
    let metadata = client
        .client()
        .fetch_metadata(Some(topic), patience)
        .map_err(|error| error::classify(what, &error).context("destination", topic))?;
    let Some(found) = metadata.topics().first() else {
        return Ok(0);
    };
    let code = found.error().filter(IsError::is_error);
    match code.map(RDKafkaErrorCode::from) {
        None => Ok(u32::try_from(found.partitions().len()).unwrap_or(u32::MAX)),
        Some(code) => match error::of_code(what, code, &code.to_string()) {
            error if error.is_temporary() => Err(error.context("destination", topic)),
            _ => Ok(0),
        },
    }
}
