//! Message ids: given by the user or the broker, or derived so that a re-run gives the same id.

use std::fmt::{self, Write as _};

use bytes::Bytes;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

/// The id by which a message is known again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MessageId {
    /// Derived by the framework: 128 bits, shown as 32 hexadecimal digits.
    Derived([u64; 2]),
    /// Given by the user, the broker, or a service in another language.
    Text(Bytes),
}

impl MessageId {
    /// Reads an id from its text; 32 lower-case hexadecimal digits are a derived id.
    #[must_use]
    pub fn from_text(text: Bytes) -> Self {
        Self::parse_derived(&text).map_or(Self::Text(text), Self::Derived)
    }

    fn parse_derived(text: &[u8]) -> Option<[u64; 2]> {
        let text = std::str::from_utf8(text).ok().filter(|t| t.len() == 32)?;
        let lower = text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let half = |range| u64::from_str_radix(&text[range], 16).ok();
        if lower {
            Some([half(0..16)?, half(16..32)?])
        } else {
            None
        }
    }

    /// The id as bytes for the wire: the text, or 32 hexadecimal digits.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Text(text) => text.clone(),
            Self::Derived(parts) => Bytes::copy_from_slice(&digits(*parts)),
        }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Derived(parts) => digits(*parts)
                .iter()
                .try_for_each(|digit| f.write_char(char::from(*digit))),
            Self::Text(text) => f.write_str(&String::from_utf8_lossy(text)),
        }
    }
}

/// Hexadecimal digits, the highest first; formatting them takes several times as long, for each message that is sent.
fn digits([high, low]: [u64; 2]) -> [u8; 32] {
    let id = u128::from(high) << 64 | u128::from(low);
    std::array::from_fn(|place| b"0123456789abcdef"[(id >> (124 - 4 * place)) as usize & 15])
}

impl From<&str> for MessageId {
    fn from(text: &str) -> Self {
        Self::from_text(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for MessageId {
    fn from(text: String) -> Self {
        Self::from_text(text.into())
    }
}

/// Where derived ids begin: one per listener and output, or one per destination.
///
/// The hash is XXH3 (128 bits), which is specified and the same on every machine and in every release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdSeed(u64);

impl IdSeed {
    /// A seed from the names that tell this place from others.
    #[must_use]
    pub fn new(names: &[&str]) -> Self {
        Self(xxh3_64(names.join("\u{1f}").as_bytes()))
    }

    /// Goes on from an id: what is derived here depends on that id too.
    #[must_use]
    pub fn after(id: &MessageId) -> Self {
        match id {
            MessageId::Derived([high, low]) => Self(xxh3_64(&pair(*high, *low))),
            MessageId::Text(text) => Self(xxh3_64(text)),
        }
    }

    /// The id of the `index`-th message made here from the message `input`.
    #[must_use]
    pub fn derive(self, input: &MessageId, index: u32) -> MessageId {
        match input {
            MessageId::Derived([high, low]) => self.derive_from(&pair(*high, *low), index),
            MessageId::Text(text) => self.derive_from(text, index),
        }
    }

    /// The id of the message at `position` of `partition`, where it has no other: a position is unique as it is.
    #[must_use]
    #[inline]
    pub fn position(self, partition: u32, position: u64) -> MessageId {
        MessageId::Derived([self.numbered(partition), position])
    }

    fn derive_from(self, bytes: &[u8], index: u32) -> MessageId {
        let hash = xxh3_128_with_seed(bytes, self.numbered(index));
        MessageId::Derived([(hash >> 64) as u64, hash as u64])
    }

    #[inline]
    fn numbered(self, number: u32) -> u64 {
        self.0
            .wrapping_add(u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

fn pair(high: u64, low: u64) -> [u8; 16] {
    (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_the_same_on_every_run_and_pass_through_text() {
        let seed = IdSeed::new(&["bill", "invoices"]);
        let id = seed.derive(&"A1".into(), 0);
        assert_eq!(
            id,
            IdSeed::new(&["bill", "invoices"]).derive(&"A1".into(), 0)
        );
        assert_ne!(id, seed.derive(&"A1".into(), 1));
        assert_ne!(
            id,
            IdSeed::new(&["bill", "refunds"]).derive(&"A1".into(), 0)
        );
        assert_eq!(MessageId::from_text(id.to_bytes()), id);
    }

    #[test]
    fn other_texts_stay_texts() {
        for text in [
            "A1",
            "",
            "0123456789ABCDEF0123456789ABCDEF",
            "zzzz56789abcdef0123456789abcdef0",
        ] {
            assert!(
                matches!(MessageId::from(text), MessageId::Text(_)),
                "{text}"
            );
        }
    }
}
