//! A consumer, as the broker sees it.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use mq_core::binder::{Event, LaneId};
use tokio::sync::Notify;

use super::number;

/// Names a consumer; the number tells it from later ones in the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberKey {
    pub(super) index: usize,
    pub(super) number: u32,
}

impl MemberKey {
    /// As slots name it.
    pub(super) fn owner(self) -> u32 {
        number(self.index)
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
    /// The binder instance was closed.
    Closed,
}

/// A consumer.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) number: u32,
    /// The open binder instance that it came through.
    pub(super) session: u64,
    pub(super) notify: Arc<Notify>,
    /// Whether it waits to be notified.
    pub(super) is_waiting: bool,
    /// Messages that it has.
    pub(super) unsettled: usize,
    /// How many it may have.
    pub(super) window: usize,
    pub(super) lanes: Vec<Option<LaneRef>>,
    /// Lanes that it does not want to hear of for the time being.
    pub(super) paused: BTreeSet<LaneId>,
    /// Its groups, by destination.
    pub(super) groups: Vec<(usize, usize)>,
    /// The lane that is asked first, in turn.
    pub(super) first: usize,
    pub(super) events: VecDeque<Event>,
    pub(super) ended: Option<Ended>,
    /// Where its dead letters go, unless to the derived destination.
    pub(super) letters: Option<Arc<str>>,
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
        LaneId(number(index))
    }

    /// Every lane with its number.
    pub(super) fn lanes_mut(&mut self) -> impl Iterator<Item = (LaneId, &mut LaneRef)> {
        let lanes = self.lanes.iter_mut().enumerate();
        lanes.filter_map(|(index, lane)| Some((LaneId(number(index)), lane.as_mut()?)))
    }

    /// The number of a lane that leads there.
    pub(super) fn find_lane(&self, lane: LaneRef) -> Option<LaneId> {
        let index = self.lanes.iter().position(|found| *found == Some(lane))?;
        Some(LaneId(number(index)))
    }

    /// The lane at this place, unless it is paused.
    pub(super) fn readable(&self, index: usize) -> Option<(LaneId, LaneRef)> {
        let (id, lane) = (LaneId(number(index)), *self.lanes.get(index)?);
        lane.filter(|_| self.paused.is_empty() || !self.paused.contains(&id))
            .map(|lane| (id, lane))
    }

    /// A lane is gone; its number is free.
    pub(super) fn drop_lane(&mut self, id: LaneId) {
        self.lanes[id.0 as usize] = None;
        self.paused.remove(&id);
    }

    pub(super) fn lane(&self, id: LaneId) -> Option<LaneRef> {
        *self.lanes.get(id.0 as usize)?
    }
}
