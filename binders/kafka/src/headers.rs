//! What of a message travels in Kafka's headers, and under which names.

mod letters;
mod mq;
mod partitioner;
mod spring;
mod types;

pub(crate) use partitioner::SpringPartitioner;

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use mq_core::message::{Message, MessageId, names};
use rdkafka::{
    Message as _,
    message::{BorrowedHeaders, BorrowedMessage, Header, OwnedHeaders},
};

use crate::config::HeaderStyle;

/// The headers of a message that is sent; `None` if there are none.
pub(crate) fn write(style: HeaderStyle, message: &Message) -> Option<OwnedHeaders> {
    match style {
        HeaderStyle::Mq => mq::write(message),
        HeaderStyle::Spring => spring::write(message),
    }
}

/// Gives a message what came in the headers.
pub(crate) fn read(style: HeaderStyle, found: &BorrowedHeaders, message: Message) -> Message {
    match style {
        HeaderStyle::Mq => mq::read(found, message),
        HeaderStyle::Spring => spring::read(found, message),
    }
}

/// A message that was looked at, with its own copy of everything.
pub(crate) fn message(style: HeaderStyle, found: &BorrowedMessage<'_>) -> Message {
    let mut message = match found.payload() {
        Some(payload) => Message::new(Bytes::copy_from_slice(payload)),
        None => Message::tombstone(),
    };
    if let Some(key) = found.key() {
        message = message.key(Bytes::copy_from_slice(key));
    }
    let millis = found.timestamp().to_millis();
    let time = millis.and_then(|millis| u64::try_from(millis).ok());
    if let Some(time) = time.and_then(|time| UNIX_EPOCH.checked_add(Duration::from_millis(time))) {
        message = message.timestamp(time);
    }
    match found.headers() {
        Some(headers) => read(style, headers, message),
        None => message,
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn insert(headers: OwnedHeaders, name: &str, value: &[u8]) -> OwnedHeaders {
    headers.insert(Header {
        key: name,
        value: Some(value),
    })
}

fn text(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

/// Adds what the framework knows of a message and Kafka has no place for.
fn insert_own(mut headers: OwnedHeaders, message: &Message) -> OwnedHeaders {
    let properties = message.properties();
    if let Some(id) = message.as_id() {
        headers = insert(headers, names::ID, &id.to_bytes());
    }
    if let Some(id) = &properties.correlation_id {
        headers = insert(headers, names::CORRELATION_ID, id);
    }
    if let Some(address) = &properties.reply_to {
        headers = insert(headers, names::REPLY_TO, address.as_bytes());
    }
    if let Some(end) = properties.expires_at {
        headers = insert(headers, names::EXPIRES, millis(end).to_string().as_bytes());
    }
    headers
}

/// Whether [`insert_own`] writes a header of this name.
fn is_own(name: &str) -> bool {
    matches!(
        name,
        names::ID | names::CORRELATION_ID | names::REPLY_TO | names::EXPIRES
    )
}

/// Gives a message what [`insert_own`] wrote.
fn with_own(message: Message, name: &str, value: &[u8]) -> Message {
    match name {
        names::ID => message.id(MessageId::from_text(Bytes::copy_from_slice(value))),
        names::CORRELATION_ID => message.correlation_id(value.to_vec()),
        names::REPLY_TO => message.reply_to(Arc::from(text(value))),
        names::EXPIRES => with_expiry(message, value),
        _ => message,
    }
}

fn with_expiry(message: Message, value: &[u8]) -> Message {
    let end = text(value)
        .parse()
        .ok()
        .and_then(|millis| UNIX_EPOCH.checked_add(Duration::from_millis(millis)));
    match end {
        Some(end) => message.expires_at(end),
        None => message,
    }
}
