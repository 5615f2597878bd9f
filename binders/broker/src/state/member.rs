//! Consumers, as the state knows them.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
};

use tokio::sync::Notify;

use crate::record::LaneKey;

/// Why a consumer gets nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// A destination of it was deleted.
    Deleted,
    /// It was closed.
    Closed,
}

/// A consumer.
#[derive(Debug)]
pub(crate) struct Member {
    /// Tells it from others; never 0.
    pub(super) number: u32,
    pub(super) lanes: Vec<LaneKey>,
    /// The lane that is asked first next time.
    pub(super) first: usize,
    pub(super) paused: HashSet<u32>,
    /// At most so many messages are out.
    pub(super) window: usize,
    pub(super) out: usize,
    pub(super) ended: Option<Ended>,
    pub(super) is_waiting: bool,
    pub(super) notify: Arc<Notify>,
    /// How long it may have a message, in nanoseconds; without end by default.
    pub(super) lease: Option<u64>,
    /// Ends of leases: when, lane, position.
    pub(super) leases: VecDeque<(u64, u32, u64)>,
    /// Leases that end later than they were given for.
    pub(super) extended: BTreeMap<(u32, u64), u64>,
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
    pub(super) fn expired(&mut self, now: u64) -> Vec<(LaneKey, u64)> {
        let mut expired = Vec::new();
        while let Some((end, lane, position)) = self.leases.front().copied() {
            if end > now {
                break;
            }
            self.leases.pop_front();
            match self.extended.get(&(lane, position)) {
                Some(later) if *later > now => {
                    let at = self.leases.partition_point(|(end, _, _)| end < later);
                    self.leases.insert(at, (*later, lane, position));
                }
                _ => {
                    self.extended.remove(&(lane, position));
                    expired.push((self.lanes[lane as usize], position));
                }
            }
        }
        expired
    }
}

/// What a consumer is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberKey {
    pub(crate) index: usize,
    pub(crate) number: u32,
}
