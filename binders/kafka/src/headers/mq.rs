//! The framework's own names: `mq-…` and `content-type`.

use mq_core::message::{HeaderValue, Headers, Message};
use rdkafka::message::{BorrowedHeaders, Headers as _, OwnedHeaders};

use super::{insert, insert_own, is_own, with_own};

/// The headers of a message that is sent; `None` if there are none.
pub(super) fn write(message: &Message) -> Option<OwnedHeaders> {
    let user = message.as_headers();
    let content_type = message.as_content_type();
    let is_plain = message.is_plain() && message.as_id().is_none() && content_type.is_none();
    if is_plain {
        return None;
    }
    let mut headers = OwnedHeaders::new_with_capacity(user.len() + 5);
    for (name, value) in user.iter() {
        headers = insert(headers, name, value.as_bytes());
    }
    if let Some(content_type) = content_type {
        headers = insert(headers, CONTENT_TYPE, content_type.as_str().as_bytes());
    }
    Some(insert_own(headers, message))
}

/// The name under which the content type travels.
pub(super) const CONTENT_TYPE: &str = "content-type";

/// Gives a message what came in the headers.
pub(super) fn read(found: &BorrowedHeaders, mut message: Message) -> Message {
    let mut user = Headers::new();
    for header in found.iter() {
        let value = header.value.unwrap_or_default();
        match header.key {
            CONTENT_TYPE => message = with_content_type(message, value, &mut user),
            name if is_own(name) => message = with_own(message, name, value),
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
