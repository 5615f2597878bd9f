//! Messages that take their process down with them.
//!
//! After an orderly stop, nobody writes down who begins with what. After a crash, any message that was there may have been the reason:
//! until these are settled, each of them is written down when it is handed out, and counted when the process does not survive it.

use super::{State, lane::Pick, member::MemberKey};
use crate::{
    options::{Durability, GroupMode},
    record::{Change, LaneKey, ranges},
};

impl State {
    /// The process before this one has crashed: every message that is there may have been the reason.
    pub(crate) fn suspect(&mut self) {
        for destination in self.destinations.values_mut() {
            let ends = destination.logs.iter().map(super::log::Log::end);
            destination.suspects = ends.collect();
        }
        self.is_suspicious = true;
    }

    /// The change that counts what the process before this one had begun with.
    pub(crate) fn ended(&self, crashed: bool) -> Option<Change> {
        let groups = self
            .destinations
            .values()
            .flat_map(|found| found.groups.values());
        let mut lanes = groups.flat_map(|group| &group.lanes);
        lanes
            .any(|lane| !lane.started.is_empty())
            .then_some(Change::Ended { crashed })
    }

    pub(super) fn end_process(&mut self, crashed: bool) {
        let all = self.destinations.values_mut();
        let groups = all.flat_map(|found| found.groups.values_mut());
        for lane in groups.flat_map(|group| &mut group.lanes) {
            lane.end_process(crashed);
        }
    }

    pub(super) fn start(&mut self, key: LaneKey, runs: &[(u64, u64)]) {
        let Some(destination) = self.destinations.get_mut(&key.destination) else {
            return;
        };
        let partition = key.partition as usize;
        if let (Some(group), Some(log)) = (
            destination.groups.get_mut(&key.group),
            destination.logs.get(partition),
        ) {
            for (first, count) in runs {
                let end = first.saturating_add(*count).min(log.end());
                group.lanes[partition].start(*first..end, log);
            }
        }
    }

    /// What has to be written down before a consumer gets these messages.
    pub(crate) fn starts(&mut self, key: MemberKey, picks: &[Pick]) -> Vec<Change> {
        let mut lanes: Vec<(LaneKey, Vec<u64>)> = Vec::new();
        for pick in picks {
            let Some(own) = self.lane_of(key, mq_core::binder::LaneId(pick.lane)) else {
                continue;
            };
            if !self.is_suspect(own, pick.position) {
                continue;
            }
            match lanes.iter_mut().find(|(lane, _)| *lane == own) {
                Some((_, positions)) => positions.push(pick.position),
                None => lanes.push((own, vec![pick.position])),
            }
        }
        let changes = lanes.into_iter().map(|(lane, mut positions)| {
            positions.sort_unstable();
            let runs = ranges(&positions);
            Change::Start { lane, runs }
        });
        changes.collect()
    }

    fn is_suspect(&self, own: LaneKey, position: u64) -> bool {
        let Some(destination) = self.destinations.get(&own.destination) else {
            return false;
        };
        let end = destination.suspects.get(own.partition as usize);
        let mode = destination.groups.get(&own.group).map(|group| group.mode);
        end.is_some_and(|end| position < *end)
            && mode != Some(GroupMode::Log)
            && destination.route.options.durability != Durability::Memory
    }

    /// Whether so many processes have ended with the message that it is not handed out any more.
    pub(crate) fn is_poison(&mut self, key: MemberKey, pick: &Pick) -> bool {
        let Some(crashes) = pick
            .note
            .map(|note| note.crashes)
            .filter(|count| *count > 0)
        else {
            return false;
        };
        let own = self.lane_of(key, mq_core::binder::LaneId(pick.lane));
        let found = own.and_then(|own| self.destinations.get(&own.destination));
        let limit = found.map_or(0, |found| found.route.options.max_crashes);
        limit > 0 && crashes >= limit
    }

    /// Whether anything is written down when it is handed out.
    pub(crate) fn has_suspects(&self) -> bool {
        self.is_suspicious
    }
}
