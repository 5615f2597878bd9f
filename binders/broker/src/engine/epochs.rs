//! The numbers of assignments, as deliveries carry them.

use std::collections::BTreeMap;

use mq_core::binder::AssignedLane;

use crate::state::MemberKey;

/// The numbers of the lanes' assignments, as far as the consumer was told.
#[derive(Debug)]
pub(super) struct Epochs {
    /// That of lanes that every member has.
    member: u32,
    /// Those of logs, which are one member's at a time.
    gained: BTreeMap<u32, u32>,
}

impl Epochs {
    pub(super) fn new(key: MemberKey) -> Self {
        Self {
            member: key.number,
            gained: BTreeMap::new(),
        }
    }

    /// What is handed out of the lane from now on belongs to this assignment.
    pub(super) fn note(&mut self, lane: &AssignedLane) {
        self.gained.insert(lane.id.0, lane.epoch);
    }

    pub(super) fn of(&self, lane: u32) -> u32 {
        self.gained.get(&lane).copied().unwrap_or(self.member)
    }
}
