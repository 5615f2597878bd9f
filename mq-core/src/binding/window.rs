//! What is taken in and not yet done with, in messages and bytes, for the binding and for each lane.

use crate::{
    binder::{Delivery, LaneId},
    policy::WindowPolicy,
};

/// Counts of what is unsettled.
#[derive(Debug)]
pub(super) struct Window {
    policy: WindowPolicy,
    messages: usize,
    bytes: u64,
    lanes: Vec<u32>,
}

impl Window {
    pub(super) fn new(policy: WindowPolicy) -> Self {
        Self {
            policy,
            messages: 0,
            bytes: 0,
            lanes: Vec::new(),
        }
    }

    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// How many more messages may be taken in.
    pub(super) fn room(&self) -> usize {
        if self.bytes >= self.policy.bytes {
            0
        } else {
            self.policy.messages.saturating_sub(self.messages)
        }
    }

    #[inline(always)]
    pub(super) fn enter(&mut self, delivery: &Delivery) {
        self.messages += 1;
        self.bytes += delivery.message().size() as u64;
        let lane = delivery.record().lane.0 as usize;
        match self.lanes.get_mut(lane) {
            Some(count) => *count += 1,
            None => {
                self.lanes.resize(lane + 1, 0);
                self.lanes[lane] = 1;
            }
        }
    }

    #[inline(always)]
    pub(super) fn leave(&mut self, delivery: &Delivery) {
        self.messages -= 1;
        self.bytes -= delivery.message().size() as u64;
        if let Some(count) = self.lanes.get_mut(delivery.record().lane.0 as usize) {
            *count -= 1;
        }
    }

    /// Whether nothing of these lanes is unsettled.
    pub(super) fn is_clear(&self, lanes: &[LaneId]) -> bool {
        lanes.iter().all(|lane| {
            self.lanes
                .get(lane.0 as usize)
                .is_none_or(|count| *count == 0)
        })
    }
}
