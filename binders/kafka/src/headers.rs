//! What of a message travels in Kafka's headers, and what has a place of its own there.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use mq_core::message::{HeaderValue, Headers, Message, MessageId, names};
use rdkafka::message::{BorrowedHeaders, Header, Headers as _, OwnedHeaders};

/// The headers of a message that is sent; `None` if there are none.
pub(crate) fn write(message: &Message) -> Option<OwnedHeaders> {
    let user = message.as_headers();
    let properties = message.properties();
    let content_type = message.as_content_type();
    let is_plain = message.is_plain() && message.as_id().is_none() && content_type.is_none();
    if is_plain {
        return None;
    }
    let mut headers = OwnedHeaders::new_with_capacity(user.len() + 5);
    for (name, value) in user.iter() {
        headers = insert(headers, name, value.as_bytes());
    }
    if let Some(id) = message.as_id() {
        headers = insert(headers, names::ID, &id.to_bytes());
    }
    if let Some(content_type) = content_type {
        headers = insert(headers, CONTENT_TYPE, content_type.as_str().as_bytes());
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
    Some(headers)
}

/// The name under which the content type travels.
const CONTENT_TYPE: &str = "content-type";

fn insert(headers: OwnedHeaders, name: &str, value: &[u8]) -> OwnedHeaders {
    headers.insert(Header {
        key: name,
        value: Some(value),
    })
}

/// Gives a message what came in the headers.
pub(crate) fn read(found: &BorrowedHeaders, mut message: Message) -> Message {
    let mut user = Headers::new();
    for header in found.iter() {
        let value = header.value.unwrap_or_default();
        match header.key {
            names::ID => message = message.id(MessageId::from_text(Bytes::copy_from_slice(value))),
            CONTENT_TYPE => message = with_content_type(message, value, &mut user),
            names::CORRELATION_ID => message = message.correlation_id(value.to_vec()),
            names::REPLY_TO => message = message.reply_to(Arc::from(text(value))),
            names::EXPIRES => message = with_expiry(message, value),
            name => user.append(name.to_owned(), HeaderValue::from(value.to_vec())),
        }
    }
    if user.is_empty() {
        return message;
    }
    message.headers(user)
}

fn with_content_type(message: Message, value: &[u8], user: &mut Headers) -> Message {
    match std::str::from_utf8(value) {
        Ok(text) => message.content_type(text.to_owned()),
        Err(_) => {
            user.append(CONTENT_TYPE, HeaderValue::from(value.to_vec()));
            message
        }
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

fn text(value: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(value)
}

/// Milliseconds since the Unix epoch.
pub(crate) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
