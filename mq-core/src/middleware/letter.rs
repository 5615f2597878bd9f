//! Dead letters and delayed copies: the original bytes and headers, and what happened to them.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    binder::Delivery,
    message::{Message, names},
    outcome::Failure,
};

/// Why a message was given up; the header `mq-error-reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The payload is not what the listener asked for.
    Undecodable,
    /// No attempts were left.
    Exhausted,
    /// The handler said so.
    Rejected,
    /// It was too old when it arrived.
    Expired,
    /// It is larger than the binding accepts.
    TooLarge,
    /// The binding requires a key and there is none.
    NoKey,
}

impl Reason {
    /// The word in the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Exhausted => "exhausted",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::TooLarge => "too-large",
            Self::NoKey => "no-key",
        }
    }
}

/// What all letters of a binding have in common.
#[derive(Clone, Debug)]
pub struct LetterOptions {
    /// Where they go.
    pub destination: Arc<str>,
    /// The group that failed; `None` is anonymous.
    pub group: Option<Arc<str>>,
    /// At most this many bytes of failure metadata, headers included.
    pub max_metadata: usize,
}

/// A dead letter: payload, key, id and headers as they were, and why the message was given up.
#[must_use]
pub fn dead_letter_message(
    delivery: &Delivery,
    failure: &Failure,
    reason: Reason,
    times: (SystemTime, SystemTime),
    options: &LetterOptions,
) -> Message {
    let mut message = copy(delivery, &options.destination, options.group.as_deref());
    let headers = message.headers_mut();
    headers.remove(names::DUE);
    headers.set(names::ATTEMPT, u64::from(delivery.attempt()));
    headers.set(names::FIRST_FAILURE, millis(times.0));
    headers.set(names::LAST_FAILURE, millis(times.1));
    headers.set(names::ERROR_REASON, reason.as_str());
    let mut room = options.max_metadata.saturating_sub(FIXED);
    headers.set(names::ERROR_TYPE, cut(failure.error_type(), &mut room));
    headers.set(names::ERROR_MESSAGE, cut(&text(failure), &mut room));
    message
}

/// Bytes reserved for the headers of bounded length.
const FIXED: usize = 512;

/// A copy for a retry destination: it is due after `delay`, and knows how many attempts have failed.
#[must_use]
pub fn delayed_message(
    delivery: &Delivery,
    destination: &Arc<str>,
    group: Option<&str>,
    now: SystemTime,
    delay: Duration,
) -> Message {
    let mut message = copy(delivery, destination, group);
    let headers = message.headers_mut();
    headers.set(names::ATTEMPT, u64::from(delivery.attempt()));
    headers.set(names::DUE, millis(now + delay));
    if headers.get(names::FIRST_FAILURE).is_none() {
        headers.set(names::FIRST_FAILURE, millis(now));
    }
    message
}

/// The message with its origin noted (the first one stays) and everything removed that ties it to its old place.
fn copy(delivery: &Delivery, destination: &Arc<str>, group: Option<&str>) -> Message {
    let mut message = delivery.message().clone().id(delivery.id());
    let properties = message.properties_mut();
    properties.destination = Some(destination.clone());
    properties.partition = None;
    properties.deliver_at = None;
    properties.expires_at = None;
    let headers = message.headers_mut();
    if headers.get(names::ORIGINAL_DESTINATION).is_none() {
        headers.append(names::ORIGINAL_DESTINATION, delivery.destination());
        headers.append(names::ORIGINAL_PARTITION, u64::from(delivery.partition()));
        headers.append(names::ORIGINAL_POSITION, delivery.record().position);
    }
    if let Some(group) = group {
        headers.set(names::ORIGINAL_GROUP, group);
    }
    message
}

/// The text of a failure and of its causes.
fn text(failure: &Failure) -> String {
    let mut text = failure.message().to_owned();
    let mut cause = failure.cause().and_then(std::error::Error::source);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// As much of `text` as there is room for, cut at a character's edge.
fn cut(text: &str, room: &mut usize) -> String {
    let end = (0..=text.len().min(*room))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    *room -= end;
    text[..end].to_owned()
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> LetterOptions {
        LetterOptions {
            destination: "orders.billing.dlq".into(),
            group: Some("billing".into()),
            max_metadata: 600,
        }
    }

    #[test]
    fn a_letter_keeps_the_original_and_says_what_happened() {
        let delivery = Delivery::of(
            Message::new("not json")
                .key("k")
                .header("x-tenant", "a")
                .id("i"),
        );
        let times = (
            UNIX_EPOCH + Duration::from_secs(1),
            UNIX_EPOCH + Duration::from_secs(2),
        );
        let failure = Failure::dead_letter("expected value").kind("undecodable");
        let letter =
            dead_letter_message(&delivery, &failure, Reason::Undecodable, times, &options());
        assert_eq!(letter.as_bytes(), b"not json");
        assert_eq!(letter.as_key().map(|key| &key[..]), Some(&b"k"[..]));
        assert_eq!(letter.as_id(), Some(&"i".into()));
        let headers = letter.as_headers();
        assert_eq!(
            headers.iter().next().map(|(name, _)| name),
            Some("x-tenant")
        );
        assert_eq!(headers.text(names::ERROR_REASON), Some("undecodable"));
        assert_eq!(headers.text(names::ORIGINAL_DESTINATION), Some("test"));
        assert_eq!(headers.text(names::ORIGINAL_GROUP), Some("billing"));
        assert_eq!(headers.text(names::FIRST_FAILURE), Some("1000"));
        assert_eq!(headers.text(names::ATTEMPT), Some("1"));
    }

    #[test]
    fn metadata_is_bounded_and_cut_between_characters() {
        let delivery = Delivery::of(Message::new("x"));
        let failure = Failure::retry("ü".repeat(10_000));
        let letter = dead_letter_message(
            &delivery,
            &failure,
            Reason::Exhausted,
            (UNIX_EPOCH, UNIX_EPOCH),
            &options(),
        );
        let text = letter
            .as_headers()
            .text(names::ERROR_MESSAGE)
            .expect("valid text");
        assert!(text.len() <= 88 && text.ends_with('ü'), "{}", text.len());
    }

    #[test]
    fn the_first_origin_stays() {
        let delivery =
            Delivery::of(Message::new("x").header(names::ORIGINAL_DESTINATION, "orders"));
        let now = UNIX_EPOCH + Duration::from_secs(10);
        let copy = delayed_message(
            &delivery,
            &"orders.billing.retry.1m".into(),
            Some("billing"),
            now,
            Duration::from_secs(60),
        );
        assert_eq!(
            copy.as_headers().text(names::ORIGINAL_DESTINATION),
            Some("orders")
        );
        assert_eq!(copy.as_headers().text(names::DUE), Some("70000"));
        assert_eq!(
            copy.properties().destination.as_deref(),
            Some("orders.billing.retry.1m")
        );
    }
}
