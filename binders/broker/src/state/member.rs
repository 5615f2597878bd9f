//! Consumers, as the state knows them.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
};

use mq_core::binder::LaneId;
use tokio::sync::Notify;

use super::credit::Credit;
use crate::record::LaneKey;

/// Why a consumer gets nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// A destination of it was deleted.
    Deleted,
    /// Its group hands out differently.
    Changed,
    /// It was closed.
    Closed,
}

/// What changes for a consumer of a group that reads a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The lane is its own from now on.
    Gained(LaneId),
    /// The lane goes to another consumer as soon as this one lets it go.
    Leaving(LaneId),
}

/// A consumer.
#[derive(Debug)]
pub(crate) struct Member {
    /// Tells it from others; never 0.
    pub(super) number: u32,
    pub(super) lanes: Vec<LaneKey>,
    /// The number of each lane's assignment. A log that comes back has another one; no other assignment of the broker has it.
    pub(super) epochs: Vec<u32>,
    /// The lane that is asked first next time.
    pub(super) first: usize,
    pub(super) paused: HashSet<u32>,
    pub(super) credit: Credit,
    pub(super) ended: Option<Ended>,
    pub(super) is_waiting: bool,
    pub(super) notify: Arc<Notify>,
    /// How long it may have a message, in nanoseconds; without end by default.
    pub(super) lease: Option<u64>,
    /// Leases, by their ends.
    pub(super) leases: VecDeque<Lease>,
    /// Leases that end later than they were given for.
    pub(super) extended: BTreeMap<(u32, u64), u64>,
    /// What changes for it, where it wants to be told.
    pub(super) turns: Option<VecDeque<Turn>>,
}

impl Member {
    /// Tells a consumer that waits to look again.
    #[inline]
    pub(super) fn wake(&mut self) {
        if self.is_waiting {
            self.is_waiting = false;
            self.notify.notify_one();
        }
    }

    /// Takes the messages whose lease has ended.
    pub(super) fn expired(&mut self, now: u64) -> Vec<(LaneKey, Lease)> {
        let mut expired = Vec::new();
        while let Some(lease) = self.leases.front().copied() {
            if lease.end > now {
                break;
            }
            self.leases.pop_front();
            match self.extended.get(&(lease.lane, lease.position)) {
                Some(later) if *later > now => {
                    let end = *later;
                    let at = self.leases.partition_point(|other| other.end < end);
                    self.leases.insert(at, Lease { end, ..lease });
                }
                _ => {
                    self.extended.remove(&(lease.lane, lease.position));
                    expired.push((self.lanes[lease.lane as usize], lease));
                }
            }
        }
        expired
    }
}

/// How long a consumer may have a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    /// In nanoseconds since the Unix epoch.
    pub(super) end: u64,
    pub(super) lane: u32,
    pub(super) position: u64,
    /// Which delivery it is of: a message that comes again has a lease of its own.
    pub(super) deliveries: u16,
}

/// What a consumer is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberKey {
    pub(crate) index: usize,
    pub(crate) number: u32,
}
