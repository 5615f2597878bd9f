//! Leases: which relay publishes which partition of the key space.

use std::{fmt, sync::Arc};

use super::OutboxMessage;
use crate::message::Message;

/// The name of one running relay, which no other relay has. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RelayId(Arc<str>);

impl RelayId {
    /// The longest id in bytes.
    pub const MAX_LEN: usize = 255;

    /// A name that nobody else has: the application's name and 128 random bits.
    #[must_use]
    pub fn unique(application: &str) -> Self {
        let unique = OutboxMessage::new("", Message::tombstone());
        let random = unique.message.as_id().map(ToString::to_string);
        let room = Self::MAX_LEN - 33;
        let cut = (0..=room.min(application.len()))
            .rev()
            .find(|at| application.is_char_boundary(*at))
            .unwrap_or(0);
        Self(format!("{}/{}", &application[..cut], random.unwrap_or_default()).into())
    }

    /// The id as a store writes it down: at most [`MAX_LEN`](Self::MAX_LEN) bytes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RelayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The right to publish the rows of one partition, until the lease ends and another relay takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartitionLease {
    /// The partition.
    pub partition: u16,
    /// Grows with each relay that takes the partition: what is settled with an old number is refused.
    pub fence: u64,
}

/// What a relay holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leases {
    /// Its leases, from now on for the time that was asked for.
    pub held: Vec<PartitionLease>,
    /// How many partitions each of the relays that are alive should hold at most.
    /// What is held beyond that is to be handed back.
    pub share: usize,
}

/// How many partitions each of `relays` relays should hold at most: equal shares, rounded up.
#[must_use]
pub fn fair_share(partitions: u16, relays: usize) -> usize {
    usize::from(partitions).div_ceil(relays.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_all_partitions() {
        let shares: Vec<_> = [0, 1, 2, 3, 16, 17]
            .map(|relays| fair_share(16, relays))
            .into();
        assert_eq!(shares, [16, 16, 8, 6, 1, 1]);
    }

    #[test]
    fn a_relay_has_a_name_of_its_own_that_fits() {
        let long = "ä".repeat(300);
        for application in ["billing", "", &long] {
            let id = RelayId::unique(application);
            assert!(id.as_str().len() <= RelayId::MAX_LEN);
            assert_ne!(id, RelayId::unique(application));
        }
    }
}
