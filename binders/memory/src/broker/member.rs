//! A consumer, as the broker sees it.

use std::{collections::VecDeque, sync::Arc};

use mq_core::binder::{Event, LaneId};
use tokio::sync::Notify;

/// Names a consumer; the number tells it from later ones in the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberKey {
    pub(super) index: usize,
    pub(super) number: u32,
}

impl MemberKey {
    /// As slots name it.
    pub(super) fn owner(self) -> u32 {
        // There are fewer than 2^32 consumers at a time: each is a task.
        u32::try_from(self.index).unwrap_or(u32::MAX)
    }
}

/// Where a lane of a consumer leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaneRef {
    pub(crate) destination: usize,
    pub(crate) group: usize,
    pub(crate) partition: usize,
    pub(crate) epoch: u32,
}

/// Why a subscription is over before its consumer has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The connection is lost.
    Disconnected,
    /// A destination was deleted.
    Deleted,
}

/// A consumer.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) number: u32,
    pub(super) notify: Arc<Notify>,
    /// Whether it waits to be notified.
    pub(super) is_waiting: bool,
    /// Messages that it has.
    pub(super) unsettled: usize,
    /// How many it may have.
    pub(super) window: usize,
    pub(super) lanes: Vec<Option<LaneRef>>,
    /// Its groups, by destination.
    pub(super) groups: Vec<(usize, usize)>,
    /// The lane that is asked first, in turn.
    pub(super) first: usize,
    pub(super) events: VecDeque<Event>,
    pub(super) ended: Option<Ended>,
}

impl Member {
    pub(super) fn wake(&mut self) {
        if self.is_waiting {
            self.is_waiting = false;
            self.notify.notify_one();
        }
    }

    /// The number that the next lane gets: the lowest that is free.
    pub(super) fn add_lane(&mut self, lane: LaneRef) -> LaneId {
        let free = self.lanes.iter().position(Option::is_none);
        let index = free.unwrap_or(self.lanes.len());
        if index == self.lanes.len() {
            self.lanes.push(Some(lane));
        } else {
            self.lanes[index] = Some(lane);
        }
        // There are fewer than 2^32 lanes: each is a partition in memory.
        LaneId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    pub(super) fn lane(&self, id: LaneId) -> Option<LaneRef> {
        *self.lanes.get(id.0 as usize)?
    }
}
