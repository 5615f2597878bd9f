//! Mistakes with what a message consists of.

use std::time::SystemTime;

use mq_core::message::Headers;

use super::prelude::*;

/// Something that happens to a message on its way in.
#[derive(Debug)]
pub(crate) struct Alters(pub fn(&mut Message));

#[async_trait]
impl Flaw for Alters {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let mut messages = messages.to_vec();
        messages.iter_mut().for_each(self.0);
        real.publish(&messages).await
    }

    async fn add_outputs(&self, real: &mut Step, messages: &[Message]) -> Result<()> {
        let mut messages = messages.to_vec();
        messages.iter_mut().for_each(self.0);
        real.step.publish(&messages).await
    }
}

/// The same message with another payload.
fn with_payload(message: &Message, payload: Vec<u8>) -> Message {
    let mut other = Message::new(payload).headers(message.as_headers().clone());
    if let Some(key) = message.as_key() {
        other = other.key(key.clone());
    }
    if let Some(id) = message.as_id() {
        other = other.id(id.clone());
    }
    if let Some(content_type) = message.as_content_type() {
        other = other.content_type(content_type.clone());
    }
    if let Some(timestamp) = message.as_timestamp() {
        other = other.timestamp(timestamp);
    }
    if !message.is_plain() {
        *other.properties_mut() = message.properties().clone();
    }
    other
}

/// A payload ends at its first zero.
pub(crate) fn ends_payloads_at_a_zero(message: &mut Message) {
    if let Some(end) = message.as_bytes().iter().position(|byte| *byte == 0) {
        *message = with_payload(message, message.as_bytes()[..end].to_vec());
    }
}

/// No payload becomes an empty one.
pub(crate) fn fills_tombstones(message: &mut Message) {
    if message.as_payload().is_none() {
        *message = with_payload(message, Vec::new());
    }
}

/// Keys are made texts.
pub(crate) fn makes_keys_texts(message: &mut Message) {
    if let Some(key) = message.as_key() {
        let text = String::from_utf8_lossy(key).into_owned();
        *message = message.clone().key(text);
    }
}

/// Headers of users are dropped.
pub(crate) fn drops_headers(message: &mut Message) {
    let own = message.as_headers().iter();
    let own = own.filter(|(name, _)| name.starts_with("mq-"));
    let kept = own.map(|(name, value)| (name.to_owned(), value.clone()));
    *message = message.clone().headers(kept.collect());
}

/// Headers are sorted by name.
pub(crate) fn sorts_headers(message: &mut Message) {
    let all = message.as_headers().iter();
    let mut all: Vec<_> = all
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    *message = message.clone().headers(all.into_iter().collect());
}

/// Header values are made texts.
pub(crate) fn makes_headers_texts(message: &mut Message) {
    let mut headers = Headers::default();
    for (name, value) in message.as_headers().iter() {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.append(name.to_owned(), text);
    }
    *message = message.clone().headers(headers);
}

/// Correlation is dropped.
pub(crate) fn drops_correlation(message: &mut Message) {
    if message.properties().correlation_id.is_some() {
        message.properties_mut().correlation_id = None;
    }
}

/// Times are cut to seconds.
pub(crate) fn keeps_seconds_only(message: &mut Message) {
    if let Some(time) = message.as_timestamp() {
        let since = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let seconds = SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs());
        *message = message.clone().timestamp(seconds);
    }
}

/// The time of delivery is dropped.
pub(crate) fn delivers_early(message: &mut Message) {
    if message.properties().deliver_at.is_some() {
        message.properties_mut().deliver_at = None;
    }
}

/// The end is dropped.
pub(crate) fn forgets_the_end(message: &mut Message) {
    if message.properties().expires_at.is_some() {
        message.properties_mut().expires_at = None;
    }
}

/// The priority is dropped.
pub(crate) fn forgets_the_priority(message: &mut Message) {
    if message.properties().priority.is_some() {
        message.properties_mut().priority = None;
    }
}

/// Drops the headers of what was delivered before.
#[derive(Debug)]
pub(crate) struct ForgetsHeadersAtRedelivery;

#[async_trait]
impl Flaw for ForgetsHeadersAtRedelivery {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let before = records.len();
        let event = real.receive(records, max).await?;
        for record in &mut records[before..] {
            if record.deliveries.is_some_and(|count| count > 1) {
                drops_headers(&mut record.message);
            }
        }
        Ok(event)
    }
}

/// Gives a message without an id a new one at each delivery, and moves its position.
#[derive(Debug, Default)]
pub(crate) struct InventsIds(AtomicUsize);

#[async_trait]
impl Flaw for InventsIds {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let before = records.len();
        let event = real.receive(records, max).await?;
        for record in &mut records[before..] {
            if record.message.as_id().is_none() {
                let number = self.0.fetch_add(1, Ordering::Relaxed);
                record.message = record.message.clone().id(format!("made-{number}"));
            }
        }
        Ok(event)
    }
}

/// Of headers with one name the last is kept.
pub(crate) fn keeps_the_last_header(message: &mut Message) {
    let mut headers = Headers::default();
    for (name, value) in message.as_headers().iter() {
        headers.set(name.to_owned(), value.clone());
    }
    *message = message.clone().headers(headers);
}

/// Names of headers are made small.
pub(crate) fn makes_names_small(message: &mut Message) {
    let mut headers = Headers::default();
    for (name, value) in message.as_headers().iter() {
        headers.append(name.to_lowercase(), value.clone());
    }
    *message = message.clone().headers(headers);
}

/// Adds a header of its own.
pub(crate) fn adds_a_header(message: &mut Message) {
    message.headers_mut().append("x-client", "broken");
}

/// Headers of the framework are taken for its own.
pub(crate) fn drops_the_headers_of_the_framework(message: &mut Message) {
    let own = message.as_headers().iter();
    let own = own.filter(|(name, _)| !name.starts_with("mq-"));
    let kept = own.map(|(name, value)| (name.to_owned(), value.clone()));
    *message = message.clone().headers(kept.collect());
}

/// Where to reply is dropped.
pub(crate) fn drops_the_reply_address(message: &mut Message) {
    if message.properties().reply_to.is_some() {
        message.properties_mut().reply_to = None;
    }
}

/// A content type loses its parameters.
pub(crate) fn cuts_content_types(message: &mut Message) {
    if let Some(content_type) = message.as_content_type() {
        let essence = content_type.essence().to_owned();
        *message = message.clone().content_type(essence);
    }
}

/// Everything is said to be JSON.
pub(crate) fn says_that_it_is_json(message: &mut Message) {
    if message.as_content_type().is_none() {
        *message = message.clone().content_type("application/json");
    }
}

/// What has no key gets one.
pub(crate) fn makes_keys_up(message: &mut Message) {
    if message.as_key().is_none() {
        *message = message.clone().key("none");
    }
}

/// Payloads are cut to what fits into one frame.
pub(crate) fn cuts_long_payloads(message: &mut Message) {
    const FRAME: usize = 128 << 10;
    if message.as_bytes().len() > FRAME {
        *message = with_payload(message, message.as_bytes()[..FRAME].to_vec());
    }
}

/// A priority out of range is made the highest.
pub(crate) fn bends_priorities(message: &mut Message) {
    if let Some(priority) = message.properties().priority {
        message.properties_mut().priority = Some(priority.min(9));
    }
}

/// Delays are cut to a tenth of a second.
pub(crate) fn cuts_delays(message: &mut Message) {
    if let Some(due) = message.properties().deliver_at {
        let most = SystemTime::now() + Duration::from_millis(100);
        message.properties_mut().deliver_at = Some(due.min(most));
    }
}

/// A partition that is named is not used.
pub(crate) fn ignores_partitions(message: &mut Message) {
    if message.properties().partition.is_some_and(|one| one < 3) {
        message.properties_mut().partition = Some(0);
    }
}
