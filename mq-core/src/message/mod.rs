//! A message: payload, key, headers, id, and what a broker may be told about it.

mod content_type;
mod headers;
mod id;
pub mod names;
mod plain;
mod properties;

use content_type::Usual;

pub use content_type::ContentType;
pub use headers::{HeaderValue, Headers};
pub use id::{IdSeed, MessageId};
pub(crate) use plain::Plain;
pub use properties::Properties;

use std::{fmt, sync::Arc, time::SystemTime};

use bytes::Bytes;

/// A message.
///
/// Cloning shares payload, key and headers.
/// A `None` payload is a *tombstone* (Kafka's null value); an empty payload is a message of zero bytes.
pub struct Message {
    payload: Option<Bytes>,
    key: Option<Bytes>,
    /// Means something where `has_id` says so: with an `Option` around it a message would be wider than what is moved without a call.
    id: MessageId,
    timestamp: Option<SystemTime>,
    rare: Option<Arc<Rare>>,
    content_type: Usual,
    has_id: bool,
}

/// What most messages do not have; shared between clones.
#[derive(Clone, Debug, Default)]
struct Rare {
    headers: Headers,
    properties: Option<Properties>,
    /// One that is not [`Usual`].
    content_type: Option<ContentType>,
}

impl Rare {
    #[inline(never)]
    fn of_type(content_type: ContentType) -> Arc<Self> {
        Arc::new(Self {
            content_type: Some(content_type),
            ..Self::default()
        })
    }
}

static NO_HEADERS: Headers = Headers::new();

impl Default for Message {
    #[inline(always)]
    fn default() -> Self {
        Self {
            payload: None,
            key: None,
            id: MessageId::Derived([0; 2]),
            timestamp: None,
            rare: None,
            content_type: Usual::None,
            has_id: false,
        }
    }
}

/// Shares payload, key and headers.
impl Clone for Message {
    // Derived code is not inlined; here it is worth a tenth of what a message costs from receipt to settlement.
    #[inline(always)]
    fn clone(&self) -> Self {
        Self {
            payload: self.payload.clone(),
            key: self.key.clone(),
            id: self.id.clone(),
            timestamp: self.timestamp,
            rare: self.rare.clone(),
            content_type: self.content_type,
            has_id: self.has_id,
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("payload", &self.payload)
            .field("key", &self.key)
            .field("headers", self.as_headers())
            .field("content_type", &self.as_content_type())
            .field("id", &self.as_id())
            .field("timestamp", &self.timestamp)
            .field("properties", self.properties())
            .finish()
    }
}

impl Message {
    /// A message with this payload and nothing else.
    #[must_use]
    #[inline(always)]
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self {
            payload: Some(payload.into()),
            ..Self::default()
        }
    }

    /// A message with this payload and its content type; unlike [`content_type`](Self::content_type), moves no message.
    #[must_use]
    #[inline(always)]
    pub fn of_type(payload: impl Into<Bytes>, content_type: ContentType) -> Self {
        let usual = content_type.usual();
        Self {
            payload: Some(payload.into()),
            rare: match usual {
                Usual::None => Some(Rare::of_type(content_type)),
                Usual::Json | Usual::Text | Usual::Bytes => None,
            },
            content_type: usual,
            ..Self::default()
        }
    }

    /// A message without a payload (a tombstone where the broker compacts by key).
    #[must_use]
    pub fn tombstone() -> Self {
        Self::default()
    }

    /// Sets the key: messages of one key keep their order.
    #[must_use]
    #[inline(always)]
    pub fn key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Appends a header. Names may repeat; order is kept; values are bytes of any kind.
    #[must_use]
    pub fn header(
        mut self,
        name: impl Into<std::borrow::Cow<'static, str>>,
        value: impl Into<HeaderValue>,
    ) -> Self {
        self.headers_mut().append(name, value);
        self
    }

    /// Replaces all headers.
    #[must_use]
    pub fn headers(mut self, headers: Headers) -> Self {
        if self.rare.is_some() || !headers.is_empty() {
            self.rare_mut().headers = headers;
        }
        self
    }

    /// Sets the content type.
    #[must_use]
    #[inline(always)]
    pub fn content_type(mut self, content_type: impl Into<ContentType>) -> Self {
        self.set_content_type(content_type.into());
        self
    }

    /// Sets the id, by which idempotent consumers know the message again.
    #[must_use]
    #[inline(always)]
    pub fn id(mut self, id: impl Into<MessageId>) -> Self {
        self.set_id(id.into());
        self
    }

    /// Sets the time at which the message came into being.
    #[must_use]
    pub fn timestamp(mut self, timestamp: SystemTime) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    #[inline]
    pub(crate) fn set_key(&mut self, key: Bytes) {
        self.key = Some(key);
    }

    #[inline(always)]
    pub(crate) fn set_content_type(&mut self, content_type: ContentType) {
        self.content_type = content_type.usual();
        if self.content_type == Usual::None || self.rare.is_some() {
            self.set_rare_content_type(content_type);
        }
    }

    #[inline(never)]
    fn set_rare_content_type(&mut self, content_type: ContentType) {
        if self.content_type == Usual::None {
            self.rare_mut().content_type = Some(content_type);
        } else if let Some(rare) = &mut self.rare
            && rare.content_type.is_some()
        {
            Arc::make_mut(rare).content_type = None;
        }
    }

    fn rare_mut(&mut self) -> &mut Rare {
        Arc::make_mut(self.rare.get_or_insert_default())
    }

    #[inline]
    pub(crate) fn set_id(&mut self, id: MessageId) {
        self.id = id;
        self.has_id = true;
    }
}

/// What the message holds.
impl Message {
    /// The payload; `None` is a tombstone.
    #[must_use]
    #[inline]
    pub fn as_payload(&self) -> Option<&Bytes> {
        self.payload.as_ref()
    }

    /// The payload's bytes; a tombstone reads as no bytes.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.payload.as_deref().unwrap_or_default()
    }

    /// The key.
    #[must_use]
    #[inline]
    pub fn as_key(&self) -> Option<&Bytes> {
        self.key.as_ref()
    }

    /// The headers.
    #[must_use]
    pub fn as_headers(&self) -> &Headers {
        self.rare.as_ref().map_or(&NO_HEADERS, |rare| &rare.headers)
    }

    /// The headers, to change.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.rare_mut().headers
    }

    /// The content type, where one was given.
    #[must_use]
    #[inline]
    pub fn as_content_type(&self) -> Option<&ContentType> {
        match self.content_type {
            Usual::None => self.rare.as_ref()?.content_type.as_ref(),
            usual => usual.content_type(),
        }
    }

    /// Whether the payload is to be read as JSON: that is its content type, or it has none.
    #[inline(always)]
    pub(crate) fn is_json(&self) -> bool {
        match self.content_type {
            Usual::Json => true,
            Usual::None => self.rare.is_none() || self.is_other_json(),
            Usual::Text | Usual::Bytes => false,
        }
    }

    #[inline(never)]
    fn is_other_json(&self) -> bool {
        self.as_content_type().is_none_or(ContentType::is_json)
    }

    /// The id, where one was given.
    #[must_use]
    #[inline]
    pub fn as_id(&self) -> Option<&MessageId> {
        self.has_id.then_some(&self.id)
    }

    /// When the message came into being, where that is known.
    #[must_use]
    pub fn as_timestamp(&self) -> Option<SystemTime> {
        self.timestamp
    }

    /// Whether there are neither headers nor rarer properties.
    #[must_use]
    #[inline]
    pub fn is_plain(&self) -> bool {
        match &self.rare {
            None => true,
            Some(rare) => rare.properties.is_none() && rare.headers.is_empty(),
        }
    }

    /// Payload and key bytes, as limits count them.
    #[must_use]
    #[inline]
    pub fn size(&self) -> usize {
        self.payload.as_ref().map_or(0, Bytes::len) + self.key.as_ref().map_or(0, Bytes::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tombstone_differs_from_an_empty_payload() {
        assert!(Message::tombstone().as_payload().is_none());
        assert_eq!(
            Message::new(Bytes::new()).as_payload().map(Bytes::len),
            Some(0)
        );
    }

    #[test]
    fn a_message_stays_narrow() {
        assert!(size_of::<Message>() <= 128);
    }

    #[test]
    fn the_last_content_type_counts() {
        let message = Message::new("x").content_type("text/csv");
        assert_eq!(message.as_content_type(), Some(&"text/csv".into()));
        assert!(message.is_plain());
        let message = message.content_type(ContentType::JSON);
        assert_eq!(message.as_content_type(), Some(&ContentType::JSON));
        let message = message.content_type("text/csv");
        assert_eq!(message.as_content_type(), Some(&"text/csv".into()));
        assert_eq!(Message::new("x").as_content_type(), None);
        for content_type in [ContentType::JSON, "text/csv".into()] {
            let message = Message::of_type("x", content_type.clone());
            assert_eq!(message.as_content_type(), Some(&content_type));
            assert_eq!(message.as_bytes(), b"x");
        }
    }

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut message = Message::new("x").header("a", "1").priority(1);
        let clone = message.clone();
        message.headers_mut().set("a", "2");
        message.properties_mut().priority = Some(2);
        assert_eq!(clone.as_headers().text("a"), Some("1"));
        assert_eq!(clone.properties().priority, Some(1));
    }
}
