//! What can be chosen.

use std::{collections::BTreeMap, time::Duration};

use mq_core::units;
use serde::Deserialize;

/// When a publication or settlement is confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Durability {
    /// When it is on the disk (`fdatasync`): survives the loss of power.
    #[default]
    Commit,
    /// When the operating system has it; the disk has it 25 ms later. Survives the end of the process, and the loss of power but for
    /// the last moment.
    Interval,
    /// When the operating system has it. Survives the end of the process.
    Os,
}

/// What happens to a message for which a destination has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Full {
    /// Its publisher waits.
    #[default]
    Block,
    /// It is refused with a temporary error.
    Reject,
    /// The oldest messages make way, settled or not.
    DropOldest,
}

/// What a destination is like.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DestinationOptions {
    /// 1 to 4,096; 1 by default. Cannot be changed later.
    pub partitions: u32,
    /// When publications to it and settlements of its messages are confirmed.
    pub durability: Durability,
    /// Messages that are not settled by every group, at most; 100 million by default.
    pub max_messages: u64,
    /// Their bytes, at most; 64 GiB by default. Counts payload, key and headers, and about 80 bytes for each message.
    #[serde(with = "units::bytes")]
    pub max_bytes: u64,
    /// What happens beyond that.
    pub full: Full,
    /// So many messages of each partition are kept for replays after every group has settled them; 10,000 by default.
    /// They go earlier where their segment would hold up disk space, unless this is `i64::MAX`, the largest number of TOML, or more:
    /// then every message is kept until it is purged, with its segment.
    pub retain: u64,
}

impl Default for DestinationOptions {
    fn default() -> Self {
        Self {
            partitions: 1,
            durability: Durability::default(),
            max_messages: 100_000_000,
            max_bytes: 64 << 30,
            full: Full::default(),
            retain: 10_000,
        }
    }
}

/// What a broker is like.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BrokerOptions {
    /// Bytes of a segment of the journal: 64 KiB to 1 GiB in steps of 4 KiB, 64 MiB by default. Counts for a new folder only.
    pub segment: u64,
    /// How many spare segments are kept; 2 by default.
    pub spares: usize,
    /// Bytes of the newest messages that are kept in memory; 16 MiB by default. Others are read from the disk.
    pub memory: usize,
    /// The largest message with key and headers, in bytes; 16 MiB by default, and never more than half a segment.
    pub max_message: u64,
    /// A snapshot is written after so many bytes of journal; 256 MiB by default.
    pub snapshot_bytes: u64,
    /// And after so long, if anything has changed; a minute by default.
    pub snapshot_interval: Duration,
    /// Publications are refused while the disk has less room than this; 64 MiB by default. Settlements are not.
    pub reserve: u64,
    /// What destinations are like for which nobody has chosen otherwise.
    pub destinations: DestinationOptions,
    /// What these destinations are like, by name, when they are created.
    pub named: BTreeMap<String, DestinationOptions>,
    /// Whether publishing or subscribing creates a destination that is missing; true by default.
    pub auto_create: bool,
    /// Whether to go on without what cannot be read of a damaged journal; false by default.
    /// Settlements behind the damage are passed over, as they may speak of other messages: what they settled is handed out again.
    pub repair: bool,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self {
            segment: 64 << 20,
            spares: 2,
            memory: 16 << 20,
            max_message: 16 << 20,
            snapshot_bytes: 256 << 20,
            snapshot_interval: Duration::from_secs(60),
            reserve: 64 << 20,
            destinations: DestinationOptions::default(),
            named: BTreeMap::new(),
            auto_create: true,
            repair: false,
        }
    }
}

impl BrokerOptions {
    /// What a destination of this name is to be like.
    pub(crate) fn of(&self, name: &str) -> &DestinationOptions {
        self.named.get(name).unwrap_or(&self.destinations)
    }
}

/// How far [`Durability::Interval`] may be behind.
pub(crate) const INTERVAL: Duration = Duration::from_millis(25);
/// Who keeps so many messages keeps them all, whatever that costs.
pub(crate) const FOR_EVER: u64 = i64::MAX as u64;
/// More partitions than this are refused: each costs memory in every group.
pub(crate) const MAX_PARTITIONS: u32 = 4_096;
