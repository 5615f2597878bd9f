//! Lanes of retry destinations rest until their first message is due, so that those behind it do not fill the window.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::engine::Engine;
use crate::binder::LaneId;

/// Lanes that rest, and until when.
#[derive(Debug, Default)]
pub(super) struct Resting {
    until: BTreeMap<LaneId, Instant>,
    fresh: Vec<LaneId>,
}

impl Resting {
    fn rest(&mut self, lane: LaneId, until: Instant) {
        if self.until.insert(lane, until).is_none() {
            self.fresh.push(lane);
        }
    }

    /// Lanes that have begun to rest since the last call.
    pub(super) fn take_fresh(&mut self) -> Vec<LaneId> {
        std::mem::take(&mut self.fresh)
    }

    /// Lanes that have rested enough.
    pub(super) fn take_rested(&mut self) -> Vec<LaneId> {
        if self.until.is_empty() {
            return Vec::new();
        }
        let now = Instant::now();
        let rested: Vec<_> = self
            .until
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(lane, _)| *lane)
            .collect();
        self.until.retain(|_, until| *until > now);
        rested
    }

    pub(super) fn forget(&mut self, lanes: &[LaneId]) {
        self.until.retain(|lane, _| !lanes.contains(lane));
        self.fresh.retain(|lane| !lanes.contains(lane));
    }
}

impl Engine {
    /// A message is held until `due`; if it is in a retry destination, its whole lane rests: the messages behind it are due later.
    pub(super) fn rest_if_retry_lane(&mut self, lane: LaneId, due: Instant) {
        if self.is_retry_lane(lane) {
            self.resting.rest(lane, due);
        }
    }
}
