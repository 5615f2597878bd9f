//! Dead letters, with the names and encodings of Spring's Kafka binder.

use std::borrow::Cow;

use mq_core::message::{HeaderValue, Headers, Message, names};
use rdkafka::message::OwnedHeaders;

use super::{insert, millis, text};

const TOPIC: &str = "x-original-topic";
const PARTITION: &str = "x-original-partition";
const OFFSET: &str = "x-original-offset";
const TIMESTAMP: &str = "x-original-timestamp";
const TIMESTAMP_TYPE: &str = "x-original-timestamp-type";
const CLASS: &str = "x-exception-fqcn";
const REASON: &str = "x-exception-message";
const TRACE: &str = "x-exception-stacktrace";
/// What Spring writes there: its binder gives up when no attempts are left.
const EXHAUSTED: &str = "exhausted";

/// Whether a message is a dead letter of the framework.
pub(super) fn is_letter(headers: &Headers) -> bool {
    headers.get(names::ORIGINAL_DESTINATION).is_some() && headers.get(names::ERROR_REASON).is_some()
}

/// Whether a header of a dead letter has a name of Spring's own, under which it is written instead.
pub(super) fn is_translated(name: &str) -> bool {
    matches!(
        name,
        names::ORIGINAL_DESTINATION
            | names::ORIGINAL_PARTITION
            | names::ORIGINAL_POSITION
            | names::ERROR_TYPE
            | names::ERROR_MESSAGE
            | TOPIC
            | PARTITION
            | OFFSET
            | TIMESTAMP
            | TIMESTAMP_TYPE
            | CLASS
            | REASON
            | TRACE
    )
}

/// Adds what Spring's binder says of a dead letter. None of it is in the map of types: a Spring application sees bytes, as it does
/// with its own letters.
pub(super) fn write(mut out: OwnedHeaders, message: &Message) -> OwnedHeaders {
    let headers = message.as_headers();
    let found = |name| headers.text(name).unwrap_or_default();
    out = insert(out, TOPIC, found(names::ORIGINAL_DESTINATION).as_bytes());
    if let Some(partition) = headers.parse::<i32>(names::ORIGINAL_PARTITION) {
        out = insert(out, PARTITION, &partition.to_be_bytes());
    }
    if let Some(offset) = headers.parse::<i64>(names::ORIGINAL_POSITION) {
        out = insert(out, OFFSET, &offset.to_be_bytes());
    }
    let time = message
        .as_timestamp()
        .map(|time| millis(time).to_be_bytes());
    let time = headers
        .get(TIMESTAMP)
        .map(|time| &time.as_bytes()[..])
        .or(time.as_ref().map(|time| &time[..]));
    if let Some(time) = time {
        out = insert(out, TIMESTAMP, time);
        out = insert(
            out,
            TIMESTAMP_TYPE,
            headers
                .text(TIMESTAMP_TYPE)
                .unwrap_or("CreateTime")
                .as_bytes(),
        );
    }
    let (class, reason) = (found(names::ERROR_TYPE), found(names::ERROR_MESSAGE));
    out = insert(out, CLASS, class.as_bytes());
    out = insert(out, REASON, reason.as_bytes());
    insert(out, TRACE, format!("{class}: {reason}").as_bytes())
}

/// Headers of a dead letter that was written by Spring or for it, under the framework's names.
#[derive(Debug, Default)]
pub(super) struct Letter {
    reason: Option<String>,
    cause: Option<String>,
    is_letter: bool,
}

impl Letter {
    /// Takes a header if it is one of these; whether it was.
    pub(super) fn take(&mut self, name: &str, value: &[u8], headers: &mut Headers) -> bool {
        match name {
            TOPIC => headers.set(
                names::ORIGINAL_DESTINATION,
                HeaderValue::from(value.to_vec()),
            ),
            PARTITION => headers.set(names::ORIGINAL_PARTITION, number(value).into_owned()),
            OFFSET => headers.set(names::ORIGINAL_POSITION, number(value).into_owned()),
            CLASS => headers.set(names::ERROR_TYPE, HeaderValue::from(value.to_vec())),
            REASON => self.reason = Some(text(value).into_owned()),
            TRACE => self.cause = last_cause(&text(value)),
            // They stay as they are, and are written so again.
            TIMESTAMP | TIMESTAMP_TYPE => {
                headers.set(name.to_owned(), HeaderValue::from(value.to_vec()));
            }
            _ => return false,
        }
        self.is_letter |= matches!(name, CLASS | REASON | TRACE);
        true
    }

    /// Adds what follows from several headers.
    pub(super) fn finish(self, headers: &mut Headers) {
        if !self.is_letter {
            return;
        }
        // Spring's message is that of a wrapper; the cause is in the trace.
        if let Some(message) = self.cause.or(self.reason) {
            headers.set(names::ERROR_MESSAGE, message);
        }
        if headers.get(names::ERROR_REASON).is_none() {
            headers.set(names::ERROR_REASON, EXHAUSTED);
        }
    }
}

/// The line after the last `Caused by:` of a stack trace.
fn last_cause(trace: &str) -> Option<String> {
    let (_, cause) = trace.rsplit_once("Caused by: ")?;
    cause.lines().next().map(|line| line.trim().to_owned())
}

/// A big-endian number of four or eight bytes, as text; anything else as it is.
fn number(value: &[u8]) -> Cow<'_, str> {
    if let Ok(bytes) = value.try_into() {
        return i64::from_be_bytes(bytes).to_string().into();
    }
    match value.try_into() {
        Ok(bytes) => i32::from_be_bytes(bytes).to_string().into(),
        Err(_) => text(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_the_last_one_of_the_trace() {
        let trace = "a.B: wrapper\n\tat x\nCaused by: c.D: half\n\tat y\nCaused by: e.F: no shipping to Nowhere\n\tat z";
        assert_eq!(
            last_cause(trace).as_deref(),
            Some("e.F: no shipping to Nowhere")
        );
        assert_eq!(last_cause("a.B: alone"), None);
    }

    #[test]
    fn numbers_are_binary_and_anything_else_is_left() {
        assert_eq!(number(&[0, 0, 0, 2]), "2");
        assert_eq!(number(&[0, 0, 0, 0, 0, 0, 1, 0]), "256");
        assert_eq!(number(b"17"), "17");
    }
}
