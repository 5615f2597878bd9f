//! What can be chosen.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mq_core::{binder::Drift, units};
use serde::Deserialize;

use crate::time::{SystemTimeSource, TimeSource};

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
    /// At once: messages and what became of them are in memory only, and lost with the process. Destination and groups survive.
    Memory,
}

impl Durability {
    /// The name as settings and errors show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Interval => "interval",
            Self::Os => "os",
            Self::Memory => "memory",
        }
    }
}

/// What becomes of a message whose time to live (`expires_at`) is up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Expired {
    /// It is handed out with its time; who gets it decides. The framework makes a dead letter of it, before the handler.
    #[default]
    HandOut,
    /// It goes, for every group that has not settled it.
    Drop,
    /// The same, and each of these groups gets it as a dead letter, in one step.
    DeadLetter,
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

/// How a group hands messages out to its members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GroupMode {
    /// Members share the messages; those of one key are handed out one at a time, in order.
    #[default]
    Key,
    /// Members share the messages; keys do not matter.
    Queue,
    /// One member has everything, in the order of each partition; the others stand by, and take over in the order in which they came.
    Exclusive,
    /// Each partition is read by one member, as a log: the group has a position in it and nothing else, an acknowledgement counts for
    /// everything before it too, and reading can begin anywhere again.
    Log,
}

impl GroupMode {
    /// The name as settings and errors show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Queue => "queue",
            Self::Exclusive => "exclusive",
            Self::Log => "log",
        }
    }
}

impl std::fmt::Display for GroupMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a destination is like.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DestinationOptions {
    /// 1 to 4,096; 1 by default. There may be more later, and never fewer.
    pub partitions: u32,
    /// When publications to it and settlements of its messages are confirmed.
    pub durability: Durability,
    /// Messages that are not settled by every group, at most; 100 million by default.
    pub max_messages: u64,
    /// Their bytes, at most; 64 GiB by default, and 256 MiB in memory. Counts payload, key and headers, and about 80 bytes for each message.
    #[serde(with = "units::bytes")]
    pub max_bytes: u64,
    /// What happens beyond that.
    pub full: Full,
    /// So many messages of each partition are kept for replays after every group has settled them; 10,000 by default.
    /// They go earlier where their segment would hold up disk space, unless this is `i64::MAX`, the largest number of TOML, or more:
    /// then every message is kept until it is purged, with its segment.
    pub retain: u64,
    /// A message that is given back with so many attempts is a dead letter of its group; 0, the default, leaves that to whoever settles.
    pub max_attempts: u32,
    /// A message is a dead letter of its group when so many processes in a row have ended while they had it; 10 by default, 0 is never.
    pub max_crashes: u32,
    /// What becomes of a message whose time is up.
    pub expired: Expired,
    /// Messages are kept no longer than this after they were stored; without a limit by default.
    /// What every group has settled goes then, whatever `retain` says. What is not settled goes only where `full` is to drop the oldest;
    /// otherwise the destination is full while it has such a message. The broker looks once a second.
    #[serde(with = "units::optional_duration")]
    pub max_age: Option<Duration>,
}

impl Default for DestinationOptions {
    fn default() -> Self {
        Self {
            partitions: 1,
            durability: Durability::default(),
            max_messages: 100_000_000,
            max_bytes: MAX_BYTES,
            full: Full::default(),
            retain: 10_000,
            max_attempts: 0,
            max_crashes: 10,
            expired: Expired::default(),
            max_age: None,
        }
    }
}

/// The bytes of a destination for which nobody has said otherwise.
const MAX_BYTES: u64 = 64 << 30;
/// The same in memory.
const MAX_IN_MEMORY: u64 = 256 << 20;

impl DestinationOptions {
    /// In what a destination that is like `found` differs from these.
    pub(crate) fn differences(&self, name: &str, found: &Self) -> Vec<Drift> {
        let code = |full: Full| match full {
            Full::Block => "block",
            Full::Reject => "reject",
            Full::DropOldest => "drop_oldest",
        };
        let expired = |expired: Expired| match expired {
            Expired::HandOut => "hand_out",
            Expired::Drop => "drop",
            Expired::DeadLetter => "dead_letter",
        };
        let age = |age: Option<Duration>| match age {
            Some(age) => format!("{age:?}"),
            None => "none".to_owned(),
        };
        let each = |own: &Self| {
            [
                ("partitions", own.partitions.to_string()),
                ("durability", own.durability.name().to_owned()),
                ("max_messages", own.max_messages.to_string()),
                ("max_bytes", own.max_bytes.to_string()),
                ("full", code(own.full).to_owned()),
                ("retain", own.retain.to_string()),
                ("max_attempts", own.max_attempts.to_string()),
                ("max_crashes", own.max_crashes.to_string()),
                ("expired", expired(own.expired).to_owned()),
                ("max_age", age(own.max_age)),
            ]
        };
        let pairs = each(self).into_iter().zip(each(found));
        let drifts = pairs.filter(|((_, wanted), (_, found))| wanted != found);
        drifts
            .map(|((what, wanted), (_, found))| Drift {
                destination: name.into(),
                what,
                wanted,
                found,
            })
            .collect()
    }

    /// Bytes that it may hold.
    pub(crate) fn room(&self) -> u64 {
        if self.durability == Durability::Memory && self.max_bytes >= MAX_BYTES {
            MAX_IN_MEMORY
        } else {
            self.max_bytes
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
    /// Publications are slowed while the disk has less room than this, and refused when they would wait for more than five seconds;
    /// 256 MiB by default. Settlements are not, nor steps that settle. Up to `reserve` it has no effect.
    pub slow_below: u64,
    /// What destinations are like for which nobody has chosen otherwise.
    pub destinations: DestinationOptions,
    /// What these destinations are like, by name, when they are created.
    pub named: BTreeMap<String, DestinationOptions>,
    /// Whether publishing or subscribing creates a destination that is missing; true by default.
    pub auto_create: bool,
    /// Whether to go on without what cannot be read of a damaged journal; false by default.
    /// Settlements behind the damage are passed over, as they may speak of other messages: what they settled is handed out again.
    pub repair: bool,
    /// Where the time comes from: the operating system by default.
    pub time: Arc<dyn TimeSource>,
    /// Whether the state that was found is kept for tests to look at.
    #[doc(hidden)]
    pub is_inspected: bool,
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
            slow_below: 256 << 20,
            destinations: DestinationOptions::default(),
            named: BTreeMap::new(),
            auto_create: true,
            repair: false,
            time: Arc::new(SystemTimeSource),
            is_inspected: false,
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
