//! Where a delivery's idempotency key is read.

use super::IdempotencyKey;
use crate::{
    binder::Delivery,
    error::{Error, ErrorKind, Result},
    policy::IdempotencyPolicy,
};

/// Where a delivery's idempotency key is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySource {
    /// The message's id, else its place at the broker; the default.
    #[default]
    Id,
    /// The message's key.
    Key,
    /// The header of this name, for instance `order-id`.
    Header(String),
}

impl KeySource {
    /// Reads `id`, `key` or `header:<name>`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        match (text, text.strip_prefix("header:")) {
            ("id", _) => Ok(Self::Id),
            ("key", _) => Ok(Self::Key),
            (_, Some(name)) if !name.is_empty() => Ok(Self::Header(name.to_owned())),
            _ => Err(Error::new(
                ErrorKind::Config,
                "unknown idempotency key; use `id`, `key`, or a header such as `header:order-id`",
            )
            .context("key", text)),
        }
    }

    /// The source that a policy names.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn of(policy: &IdempotencyPolicy) -> Result<Self> {
        policy.key.as_deref().map_or(Ok(Self::Id), Self::parse)
    }

    /// The key of this delivery; `None` if the message has no such key or header, or an empty one.
    #[must_use]
    pub fn read(&self, delivery: &Delivery) -> Option<IdempotencyKey> {
        match self {
            Self::Id => IdempotencyKey::of_id(&delivery.id()),
            Self::Key => IdempotencyKey::new(delivery.message().as_key()?.clone()),
            Self::Header(name) => {
                IdempotencyKey::new(delivery.headers().get(name)?.as_bytes().clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn each_source_reads_its_place() {
        let message = Message::new("x")
            .id("I")
            .key("K")
            .header("order-id", "H")
            .header("empty", "");
        let delivery = Delivery::of(message);
        let check = |text: &str, expected: Option<&str>| {
            let key = KeySource::parse(text).expect(text).read(&delivery);
            assert_eq!(key.map(|k| k.to_string()).as_deref(), expected, "{text}");
        };
        check("id", Some("I"));
        check("key", Some("K"));
        check("header:order-id", Some("H"));
        check("header:other", None);
        check("header:empty", None);
    }

    #[test]
    fn a_message_without_an_id_is_known_by_its_place() {
        assert!(
            KeySource::Id
                .read(&Delivery::of(Message::new("x")))
                .is_some()
        );
    }

    #[test]
    fn other_texts_are_refused_with_what_to_use() {
        for text in ["", "header:", "payload.id"] {
            let error = KeySource::parse(text).expect_err(text);
            assert!(error.to_string().contains("header:order-id"), "{error}");
        }
    }
}
