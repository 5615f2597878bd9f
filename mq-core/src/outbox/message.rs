//! A message on its way into the outbox.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use xxhash_rust::xxh3::xxh3_128;

use crate::message::{Message, MessageId};

/// A message on its way into the outbox, with the output binding through which it is published.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutboxMessage {
    /// The name of the output binding.
    pub output: Arc<str>,
    /// The message; it has an id.
    pub message: Message,
}

impl OutboxMessage {
    /// A message for this output. Without an id it gets a fresh one, because the relay may publish it twice and consumers know
    /// it again by its id.
    #[must_use]
    pub fn new(output: impl Into<Arc<str>>, message: Message) -> Self {
        let message = match message.as_id() {
            Some(_) => message,
            None => message.id(fresh_id()),
        };
        Self {
            output: output.into(),
            message,
        }
    }
}

/// An id that no other message has: a hash over 128 random bits of this process and a counter.
fn fresh_id() -> MessageId {
    static PROCESS: LazyLock<[u64; 2]> =
        LazyLock::new(|| [RandomState::new(), RandomState::new()].map(|state| state.hash_one(0)));
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let [high, low] = *PROCESS;
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let mut bytes = [0; 24];
    for (place, part) in bytes.chunks_exact_mut(8).zip([high, low, count]) {
        place.copy_from_slice(&part.to_le_bytes());
    }
    let hash = xxh3_128(&bytes);
    MessageId::Derived([(hash >> 64) as u64, hash as u64])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_an_id_gets_one_of_its_own_and_others_keep_theirs() {
        let id = |message| {
            OutboxMessage::new("orders", message)
                .message
                .as_id()
                .cloned()
        };
        assert_eq!(id(Message::new("x").id("A1")), Some("A1".into()));
        assert!(id(Message::new("x")).is_some());
        assert_ne!(id(Message::new("x")), id(Message::new("x")));
    }
}
