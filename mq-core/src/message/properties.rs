//! What a message may tell the broker beyond payload, key and headers.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;

use super::Message;

/// The rarer properties of a message; all absent by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Properties {
    /// The partition to write to, instead of the one that the key chooses.
    pub partition: Option<u32>,
    /// The destination, instead of the producer's.
    pub destination: Option<Arc<str>>,
    /// Not to be delivered before this time.
    pub deliver_at: Option<SystemTime>,
    /// Not to be handled after this time.
    pub expires_at: Option<SystemTime>,
    /// 0 (lowest) to 9.
    pub priority: Option<u8>,
    /// Relates a reply to its request.
    pub correlation_id: Option<Bytes>,
    /// Where a reply is to go.
    pub reply_to: Option<Arc<str>>,
}

static NONE: Properties = Properties::EMPTY;

impl Properties {
    const EMPTY: Self = Self {
        partition: None,
        destination: None,
        deliver_at: None,
        expires_at: None,
        priority: None,
        correlation_id: None,
        reply_to: None,
    };
}

/// The rarer properties.
impl Message {
    /// Sets the partition, instead of having it chosen by the key.
    #[must_use]
    pub fn partition(mut self, partition: u32) -> Self {
        self.properties_mut().partition = Some(partition);
        self
    }

    /// Sets the destination, instead of the producer's.
    #[must_use]
    pub fn destination(mut self, destination: impl Into<Arc<str>>) -> Self {
        self.properties_mut().destination = Some(destination.into());
        self
    }

    /// Not to be delivered before this time.
    #[must_use]
    pub fn deliver_at(mut self, due: SystemTime) -> Self {
        self.properties_mut().deliver_at = Some(due);
        self
    }

    /// Not to be handled after this time: an expired message goes to the dead letters before the handler.
    #[must_use]
    pub fn expires_at(mut self, end: SystemTime) -> Self {
        self.properties_mut().expires_at = Some(end);
        self
    }

    /// Sets the priority, 0 (lowest) to 9, where the broker has priorities.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.properties_mut().priority = Some(priority);
        self
    }

    /// Sets the id that relates a reply to its request.
    #[must_use]
    pub fn correlation_id(mut self, id: impl Into<Bytes>) -> Self {
        self.properties_mut().correlation_id = Some(id.into());
        self
    }

    /// Sets the destination to which a reply is to go.
    #[must_use]
    pub fn reply_to(mut self, destination: impl Into<Arc<str>>) -> Self {
        self.properties_mut().reply_to = Some(destination.into());
        self
    }

    /// The rarer properties.
    #[must_use]
    pub fn properties(&self) -> &Properties {
        let properties = self.rare.as_ref().and_then(|rare| rare.properties.as_ref());
        properties.unwrap_or(&NONE)
    }

    /// The rarer properties, to change; allocates them if there are none.
    pub fn properties_mut(&mut self) -> &mut Properties {
        self.rare_mut().properties.get_or_insert_default()
    }

    /// Sets the destination of `other`, unless it has one; shares what `other` has, which is its destination and no more.
    #[inline]
    pub(crate) fn set_destination_of(&mut self, other: &Self) {
        if self.rare.is_none() {
            self.rare.clone_from(&other.rare);
        } else if self.properties().destination.is_none() {
            self.properties_mut()
                .destination
                .clone_from(&other.properties().destination);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_taken_over_where_there_is_none() {
        let other = Message::tombstone().destination("there");
        let destination = |mut message: Message| {
            message.set_destination_of(&other);
            let found = message.properties().destination.clone();
            (
                found,
                message.as_headers().len(),
                message.properties().priority,
            )
        };
        let there = Some(Arc::from("there"));
        assert_eq!(destination(Message::new("x")), (there.clone(), 0, None));
        let more = Message::new("x").header("a", "1").priority(3);
        assert_eq!(destination(more), (there, 1, Some(3)));
        let own = Message::new("x").destination("here");
        assert_eq!(destination(own), (Some("here".into()), 0, None));
        assert_eq!(other.properties().priority, None);
    }

    #[test]
    fn properties_cost_nothing_until_they_are_set() {
        let message = Message::new("x");
        assert_eq!(message.properties().partition, None);
        let message = message.partition(3).priority(9);
        assert_eq!(message.properties().partition, Some(3));
        assert_eq!(message.properties().priority, Some(9));
    }
}
