//! Everything but messages that the journal records.

use bytes::Bytes;

use super::kind;
use crate::options::{DestinationOptions, GroupMode};

/// A group's share of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LaneKey {
    pub(crate) destination: u32,
    pub(crate) group: u32,
    pub(crate) partition: u32,
}

/// A change of the state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// The group is done with these runs of positions: first, count.
    Ack {
        lane: LaneKey,
        runs: Vec<(u64, u64)>,
    },
    /// The message is to be handed out again, not before `due` (nanoseconds since the Unix epoch, 0 is at once).
    Release {
        lane: LaneKey,
        position: u64,
        attempts: u32,
        deliveries: u32,
        due: u64,
    },
    /// A consumer keeps the message until `due`.
    Hold {
        lane: LaneKey,
        position: u64,
        attempts: u32,
        due: u64,
    },
    Destination {
        id: u32,
        name: String,
        options: DestinationOptions,
    },
    Delete {
        destination: u32,
    },
    /// `from` has the first position in each partition.
    Group {
        destination: u32,
        id: u32,
        /// Empty where it is anonymous.
        name: String,
        from: Vec<u64>,
    },
    Forget {
        destination: u32,
        group: u32,
    },
    Seek {
        destination: u32,
        group: u32,
        from: Vec<u64>,
    },
    /// Every message below these positions goes.
    Purge {
        destination: u32,
        to: Vec<u64>,
    },
    Handled {
        destination: u32,
        partition: u32,
        position: u64,
    },
    /// What every group has settled below this position is not kept any longer.
    Trim {
        destination: u32,
        partition: u32,
        to: u64,
    },
    Producer {
        id: u64,
        name: String,
    },
    /// The group hands out like this from now on; its consumers have to come again.
    Mode {
        destination: u32,
        group: u32,
        mode: GroupMode,
    },
    /// Everything before `position` is done, in a group that reads a log.
    Commit {
        lane: LaneKey,
        position: u64,
        /// How often the group had been moved.
        moves: u32,
        saved: Option<Bytes>,
    },
    /// The destination is like this from now on.
    Options {
        id: u32,
        options: DestinationOptions,
    },
    /// The broker has been opened, with destinations in memory.
    Boot,
    /// These runs of messages are being handed to a consumer: first, count.
    Start {
        lane: LaneKey,
        runs: Vec<(u64, u64)>,
    },
    /// The process before this one has ended; what was started and not settled has crashed with it, unless it was stopped.
    Ended {
        crashed: bool,
    },
    /// The time of these runs of messages is up: first, count.
    Expire {
        destination: u32,
        partition: u32,
        runs: Vec<(u64, u64)>,
    },
    /// The producer has a new owner; messages of those before it are not stored any more.
    Epoch {
        id: u64,
        epoch: u32,
    },
}

/// Sorted positions as runs.
pub(crate) fn ranges(positions: &[u64]) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for position in positions {
        match runs.last_mut() {
            Some((first, count)) if *first + *count == *position => *count += 1,
            _ => runs.push((*position, 1)),
        }
    }
    runs
}

impl Change {
    /// The position of a lane that is not moved.
    pub(crate) const STAY: u64 = u64::MAX;

    pub(super) fn kind(&self) -> u8 {
        match self {
            Self::Ack { .. } => kind::ACK,
            Self::Release { .. } => kind::RELEASE,
            Self::Hold { .. } => kind::HOLD,
            Self::Destination { .. } => kind::DESTINATION,
            Self::Delete { .. } => kind::DELETE,
            Self::Group { .. } => kind::GROUP,
            Self::Forget { .. } => kind::FORGET,
            Self::Seek { .. } => kind::SEEK,
            Self::Purge { .. } => kind::PURGE,
            Self::Handled { .. } => kind::HANDLED,
            Self::Trim { .. } => kind::TRIM,
            Self::Producer { .. } => kind::PRODUCER,
            Self::Mode { .. } => kind::MODE,
            Self::Commit { .. } => kind::COMMIT,
            Self::Options { .. } => kind::OPTIONS,
            Self::Boot => kind::BOOT,
            Self::Start { .. } => kind::START,
            Self::Ended { .. } => kind::ENDED,
            Self::Expire { .. } => kind::EXPIRE,
            Self::Epoch { .. } => kind::EPOCH,
        }
    }

    /// Whether it speaks of positions.
    pub(crate) fn has_positions(&self) -> bool {
        match self {
            Self::Destination { .. }
            | Self::Delete { .. }
            | Self::Forget { .. }
            | Self::Producer { .. }
            | Self::Mode { .. }
            | Self::Options { .. }
            | Self::Boot
            | Self::Ended { .. }
            | Self::Epoch { .. } => false,
            Self::Ack { .. }
            | Self::Release { .. }
            | Self::Hold { .. }
            | Self::Group { .. }
            | Self::Seek { .. }
            | Self::Purge { .. }
            | Self::Handled { .. }
            | Self::Trim { .. }
            | Self::Commit { .. }
            | Self::Start { .. }
            | Self::Expire { .. } => true,
        }
    }
}
