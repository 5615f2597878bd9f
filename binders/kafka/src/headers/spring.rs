//! The names of Spring Cloud Stream: `contentType`, a map of Java types, and its own headers for dead letters.
//!
//! The framework's headers for which Spring has no name (`mq-id`, `mq-attempt`, …) keep theirs; Spring shows them as text.

use mq_core::message::{HeaderValue, Headers, Message};
use rdkafka::message::{BorrowedHeaders, Headers as _, OwnedHeaders};

use super::{
    insert, insert_own, is_own,
    letters::{self, Letter},
    mq, text,
    types::{TYPES, Types},
    with_own,
};

/// The name under which the content type travels.
const CONTENT_TYPE: &str = "contentType";
/// The partition that a Spring producer has chosen; a copy of the message takes it along to where it is wrong.
const PARTITION: &str = "scst_partition";

/// The headers of a message that is sent; `None` if there are none.
pub(super) fn write(message: &Message) -> Option<OwnedHeaders> {
    let user = message.as_headers();
    let content_type = message.as_content_type();
    if message.is_plain() && message.as_id().is_none() && content_type.is_none() {
        return None;
    }
    let mut out = OwnedHeaders::new_with_capacity(user.len() + 6);
    let is_letter = letters::is_letter(user);
    let came = user.get(TYPES).map(|types| Types::parse(types.as_bytes()));
    let (came, mut types) = (came.unwrap_or_default(), Types::default());
    for (name, value) in user.iter() {
        if matches!(name, TYPES | PARTITION) || (is_letter && letters::is_translated(name)) {
            continue;
        }
        let value = types.write(&came, name, value.as_bytes());
        out = insert(out, name, &value);
    }
    if let Some(content_type) = content_type {
        let value = content_type.as_str().as_bytes();
        out = insert(
            out,
            CONTENT_TYPE,
            &types.write(&Types::default(), CONTENT_TYPE, value),
        );
    }
    out = insert_own(out, message);
    if let Some(types) = types.text() {
        out = insert(out, TYPES, types.as_bytes());
    }
    Some(if is_letter {
        letters::write(out, message)
    } else {
        out
    })
}

/// Gives a message what came in the headers.
pub(super) fn read(found: &BorrowedHeaders, mut message: Message) -> Message {
    let mut user = Headers::new();
    let mut letter = Letter::default();
    let types = found.iter().filter(|header| header.key == TYPES).last();
    let types = types
        .map(|header| Types::parse(header.value.unwrap_or_default()))
        .unwrap_or_default();
    let mut content_type = None;
    for header in found.iter() {
        let value = header.value.unwrap_or_default();
        match header.key {
            TYPES => {}
            CONTENT_TYPE => {
                content_type = Some(text(&types.read(CONTENT_TYPE, value)).into_owned());
            }
            // What the framework wrote with its own names.
            mq::CONTENT_TYPE if content_type.is_none() => {
                content_type = Some(text(value).into_owned());
            }
            name if is_own(name) => message = with_own(message, name, value),
            name if letter.take(name, value, &mut user) => {}
            name => {
                let value = types.read(name, value).into_owned();
                user.append(name.to_owned(), HeaderValue::from(value));
            }
        }
    }
    letter.finish(&mut user);
    if let Some(special) = types.special() {
        user.append(TYPES, special);
    }
    if let Some(content_type) = content_type {
        message = message.content_type(content_type);
    }
    if user.is_empty() {
        return message;
    }
    message.headers(user)
}
