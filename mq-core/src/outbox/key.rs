//! What is published in order, and the partition of the key space that it belongs to.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use super::OutboxMessage;

/// What is published in order: the messages of one key for one output.
///
/// A hash (XXH3, 64 bits, the same on every machine and in every release), so that a store keeps it in a number.
/// Two keys with the same hash are published in order with each other, and parked together; nothing else comes of it.
/// A message without a key has an order key of its own, from its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey(pub u64);

impl OrderKey {
    /// The order key of a message.
    #[must_use]
    pub fn of(message: &OutboxMessage) -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(message.output.as_bytes());
        match (message.message.as_key(), message.message.as_id()) {
            (Some(key), _) => {
                bytes.push(0);
                bytes.extend_from_slice(key);
            }
            (None, Some(id)) => {
                bytes.push(1);
                bytes.extend_from_slice(&id.to_bytes());
            }
            (None, None) => bytes.push(2),
        }
        Self(xxh3_64(&bytes))
    }

    /// Its partition, of `partitions` of them.
    #[must_use]
    pub fn partition(self, partitions: u16) -> u16 {
        // The remainder is less than a `u16`.
        (self.0 % u64::from(partitions.max(1))) as u16
    }
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn key(output: &str, message: Message) -> OrderKey {
        OrderKey::of(&OutboxMessage::new(output, message))
    }

    #[test]
    fn messages_of_one_key_and_output_share_an_order_key() {
        let message = |key: &'static str| Message::new("x").key(key);
        assert_eq!(key("orders", message("A")), key("orders", message("A")));
        assert_ne!(key("orders", message("A")), key("orders", message("B")));
        assert_ne!(key("orders", message("A")), key("audit", message("A")));
    }

    #[test]
    fn a_message_without_a_key_is_on_its_own() {
        let first = key("orders", Message::new("x"));
        assert_ne!(first, key("orders", Message::new("x")));
        assert_ne!(
            key("orders", Message::new("x").id("A")),
            key("orders", Message::new("x").key("A"))
        );
    }

    #[test]
    fn keys_are_written_down_so_their_hash_may_never_change() {
        let order = key("orders", Message::new("x").key("A1"));
        assert_eq!(order.to_string(), HASH_OF_ORDERS_A1);
        assert!(order.partition(16) < 16);
        assert_eq!(order.partition(0), 0);
    }

    const HASH_OF_ORDERS_A1: &str = "804a06a02c89a026";
}
