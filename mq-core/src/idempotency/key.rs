//! What tells two messages apart, bounded so that it fits into an index of every database.

use std::fmt;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use crate::message::MessageId;

/// What tells two messages of one [`Scope`](super::Scope) apart.
///
/// Bytes, 1 to [`MAX_LEN`](Self::MAX_LEN) of them, compared byte for byte: `A1` and `a1` are two keys.
/// What is longer is replaced by `xxh3:` and its 128-bit hash (XXH3, the same on every machine and in every release).
/// XXH3 is no protection against somebody who looks for collisions; but who may write keys of his own choice could as well
/// repeat the key of another message.
///
/// Cloning is cheap, and a key from a derived id allocates nothing until a store writes it down.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(MessageId);

impl IdempotencyKey {
    /// The longest key in bytes that is kept as it is.
    pub const MAX_LEN: usize = 255;

    /// The key with these bytes; `None` if there are none, because an empty key would make all such messages one.
    #[must_use]
    pub fn new(bytes: Bytes) -> Option<Self> {
        match bytes.len() {
            0 => None,
            1..=Self::MAX_LEN => Some(Self(MessageId::from_text(bytes))),
            _ => Some(Self(MessageId::Text(hashed(&bytes)))),
        }
    }

    /// The key of a message's id; `None` if the id is an empty text.
    #[must_use]
    pub fn of_id(id: &MessageId) -> Option<Self> {
        match id {
            MessageId::Derived(_) => Some(Self(id.clone())),
            MessageId::Text(text) => Self::new(text.clone()),
        }
    }

    /// The key as a store writes it down: 1 to [`MAX_LEN`](Self::MAX_LEN) bytes; 32 hexadecimal digits for a derived id.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.0.to_bytes()
    }

    /// The same key in memory of its own, so that keeping it does not keep the buffer in which its message arrived.
    #[must_use]
    pub fn detached(&self) -> Self {
        match &self.0 {
            MessageId::Derived(id) => Self(MessageId::Derived(*id)),
            MessageId::Text(text) => Self(MessageId::Text(Bytes::copy_from_slice(text))),
        }
    }
}

fn hashed(bytes: &[u8]) -> Bytes {
    format!("xxh3:{:032x}", xxh3_128(bytes)).into()
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::IdSeed;

    #[test]
    fn an_empty_key_is_none() {
        assert_eq!(IdempotencyKey::new(Bytes::new()), None);
        assert_eq!(IdempotencyKey::of_id(&MessageId::from("")), None);
    }

    #[test]
    fn a_long_key_is_hashed_and_a_key_of_255_bytes_is_kept() {
        let key = |len| IdempotencyKey::new(Bytes::from(vec![b'k'; len])).expect("a key");
        assert_eq!(key(255).to_bytes(), vec![b'k'; 255]);
        let long = key(256).to_bytes();
        assert_eq!(&long[..5], b"xxh3:");
        assert_eq!(long.len(), 37);
        assert_eq!(long, key(256).to_bytes());
        assert_ne!(long, key(257).to_bytes());
    }

    #[test]
    fn a_key_read_back_from_a_store_is_the_same_key() {
        for id in [IdSeed::new(&["bill"]).derive(&"A1".into(), 0), "A1".into()] {
            let key = IdempotencyKey::of_id(&id).expect("a key");
            assert_eq!(IdempotencyKey::new(key.to_bytes()), Some(key.clone()));
            assert_eq!(key.detached(), key);
        }
    }
}
