//! What became of deliveries, as a broker is told.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::LaneId;
use crate::error::Error;

/// What the broker is to do with one delivery (or, for [`Commit`](Self::Commit), with a lane).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Done.
    Ack,
    /// Not wanted: as done, but brokers that tell the difference may count it.
    Discard,
    /// Give it back: deliver it again after the delay, to any member of the group.
    Release {
        /// Zero, unless the broker has delayed redelivery.
        after: Duration,
        /// Failed attempts so far, recorded where the broker can.
        attempts: u32,
    },
    /// It stays with this consumer until `due`; the broker records that, where it can, and keeps the lease alive.
    Hold {
        /// When it will be handled again.
        due: SystemTime,
        /// Failed attempts so far.
        attempts: u32,
    },
    /// The handler needs longer: the deadline of this one message moves to that much from now.
    Extend(Duration),
    /// The broker moves it to its dead letters, where it can.
    DeadLetter {
        /// Why, bounded.
        reason: String,
    },
    /// Positional brokers: everything of the lane below the settlement's position is done with.
    Commit {
        /// What is to come back with the lane's next assignment.
        saved: Option<Bytes>,
    },
}

/// One settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The lane.
    pub lane: LaneId,
    /// The delivery's position, or for a commit the first position that is not done with.
    pub position: u64,
    /// The number of the lane's assignment.
    pub epoch: u32,
    /// What is to happen.
    pub action: Action,
}

/// A settlement that did not take effect.
#[derive(Debug)]
pub struct Unsettled {
    /// Its index in the call.
    pub index: usize,
    /// Why.
    pub error: SettleError,
}

/// Why a settlement did not take effect.
#[derive(Debug)]
#[non_exhaustive]
pub enum SettleError {
    /// The right to settle it has passed to somebody else: the message will be, or was, delivered again.
    Lost,
    /// The broker refused; repeat if the error is temporary.
    Failed(Error),
}
