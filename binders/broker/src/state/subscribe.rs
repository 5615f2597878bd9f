//! Consumers come and go.

use std::sync::Arc;

use mq_core::{
    binder::{AssignedLane, Lane as LaneName, LaneId, ReplayFrom},
    policy::Start,
};
use tokio::sync::Notify;

use super::{
    State,
    credit::Credit,
    destination::Destination,
    member::{Member, MemberKey},
};
use crate::record::{Change, LaneKey, nanos};

/// Who joins.
#[derive(Debug)]
pub(crate) struct Joining {
    /// Destinations with the group in each.
    pub(crate) groups: Vec<(u32, u32)>,
    /// Messages that may be out.
    pub(crate) window: usize,
    /// Their bytes, where these are limited too.
    pub(crate) window_bytes: Option<u64>,
    /// In nanoseconds.
    pub(crate) lease: Option<u64>,
    /// Whether it is to be told what changes for it, and says when it has let something go.
    pub(crate) announces: bool,
}

impl State {
    /// The change that makes a group of this name, beginning at `start`; empty names are anonymous.
    pub(crate) fn new_group(
        &mut self,
        destination: u32,
        name: &str,
        start: Start,
    ) -> Option<(u32, Change)> {
        let destination = self.destinations.get_mut(&destination)?;
        let id = destination.next_group.max(destination.reserved);
        destination.reserved = id.saturating_add(1);
        let change = Change::Group {
            destination: destination.route.id,
            id,
            name: name.to_owned(),
            from: destination.positions(start),
        };
        Some((id, change))
    }

    /// Adds a consumer; its lanes are numbered as they are returned.
    pub(crate) fn join(
        &mut self,
        joining: &Joining,
    ) -> Option<(MemberKey, Arc<Notify>, Vec<AssignedLane>)> {
        let number = self.next_number();
        let mut lanes = Vec::new();
        let mut assigned = Vec::new();
        for (id, group) in &joining.groups {
            let destination = self.destinations.get(id)?;
            destination.groups.get(group)?;
            for partition in 0..destination.route.options.partitions {
                let lane = LaneKey {
                    destination: *id,
                    group: *group,
                    partition,
                };
                let id = LaneId(u32::try_from(lanes.len()).ok()?);
                assigned.push(self.assignment(lane, id, number)?);
                lanes.push(lane);
            }
        }
        self.leasing += usize::from(joining.lease.is_some());
        let notify = Arc::new(Notify::new());
        let index = self.members.insert(Member {
            number,
            epochs: vec![number; lanes.len()],
            lanes,
            first: 0,
            paused: std::collections::HashSet::new(),
            credit: Credit::new(joining.window, joining.window_bytes),
            ended: None,
            is_waiting: false,
            notify: notify.clone(),
            lease: joining.lease,
            leases: std::collections::VecDeque::new(),
            extended: std::collections::BTreeMap::new(),
            turns: joining.announces.then(std::collections::VecDeque::new),
        });
        for (id, group) in &joining.groups {
            let destination = self.destinations.get_mut(id);
            if let Some(group) = destination.and_then(|found| found.groups.get_mut(group)) {
                group.members.push(index);
            }
        }
        for (id, group) in &joining.groups {
            self.share(*id, *group);
        }
        self.wake();
        Some((MemberKey { index, number }, notify, assigned))
    }

    /// A number that no consumer and no assignment had.
    pub(super) fn next_number(&mut self) -> u32 {
        let next = self.next_member.wrapping_add(1).max(1);
        std::mem::replace(&mut self.next_member, next)
    }

    /// A lane as a consumer is told of it.
    fn assignment(&self, lane: LaneKey, id: LaneId, epoch: u32) -> Option<AssignedLane> {
        let destination = self.destinations.get(&lane.destination)?;
        let group = destination.groups.get(&lane.group)?;
        let cursor = group.lanes.get(lane.partition as usize)?.cursor.as_ref();
        Some(AssignedLane {
            id,
            lane: LaneName {
                destination: destination.route.name.clone(),
                partition: lane.partition,
            },
            position: cursor.map(|cursor| cursor.position),
            saved: cursor.and_then(|cursor| cursor.saved.clone()),
            epoch,
        })
    }

    /// The same for a lane that the consumer has already.
    pub(crate) fn assigned(&mut self, key: MemberKey, id: LaneId) -> Option<AssignedLane> {
        let lane = self.lane_of(key, id)?;
        let epoch = self.epoch_of(key, id)?;
        self.assignment(lane, id, epoch)
    }

    /// The number of a lane's assignment.
    pub(crate) fn epoch_of(&mut self, key: MemberKey, id: LaneId) -> Option<u32> {
        self.member(key)?.epochs.get(id.0 as usize).copied()
    }

    /// The consumer of this key, if it is still there.
    #[inline]
    pub(super) fn member(&mut self, key: MemberKey) -> Option<&mut Member> {
        self.members
            .get_mut(key.index)
            .filter(|member| member.number == key.number)
    }

    /// Takes a consumer out; what it has is handed out again.
    ///
    /// Returns the changes that remove groups which were its own.
    pub(crate) fn leave(&mut self, key: MemberKey) -> Vec<Change> {
        if self.member(key).is_none() {
            return Vec::new();
        }
        let mut member = self.members.remove(key.index);
        member.wake();
        self.leasing -= usize::from(member.lease.is_some());
        let mut gone = Vec::new();
        for lane in &member.lanes {
            let Some(destination) = self.destinations.get_mut(&lane.destination) else {
                continue;
            };
            let Some(group) = destination.groups.get_mut(&lane.group) else {
                continue;
            };
            group.lanes[lane.partition as usize].give_back(key.number);
            group.members.retain(|index| *index != key.index);
            self.touched.insert(lane.destination);
            if group.name.is_empty() && lane.partition == 0 {
                gone.push(Change::Forget {
                    destination: lane.destination,
                    group: lane.group,
                });
            }
        }
        for lane in member.lanes.iter().filter(|lane| lane.partition == 0) {
            self.share(lane.destination, lane.group);
        }
        self.wake();
        gone
    }

    /// The changes that remove anonymous groups whose consumers ended without leaving.
    pub(crate) fn orphans(&self) -> Vec<Change> {
        let all = self.destinations.iter().flat_map(|(id, destination)| {
            let groups = destination.groups.iter();
            let orphans = groups.filter(|(_, group)| group.name.is_empty());
            orphans.map(|(group, _)| Change::Forget {
                destination: *id,
                group: *group,
            })
        });
        all.collect()
    }

    /// The change that moves the reading of one lane.
    pub(crate) fn seek_lane(
        &mut self,
        key: MemberKey,
        lane: LaneId,
        position: u64,
    ) -> Option<Change> {
        let own = self.lane_of(key, lane)?;
        let destination = self.destinations.get(&own.destination)?;
        let group = destination.groups.get(&own.group)?;
        // Lanes that stay where they are have no position.
        let mut from = vec![Change::STAY; group.lanes.len()];
        *from.get_mut(own.partition as usize)? = position;
        Some(Change::Seek {
            destination: own.destination,
            group: own.group,
            from,
        })
    }

    /// Hands over nothing of these lanes until they are resumed.
    pub(crate) fn pause(&mut self, key: MemberKey, lanes: &[LaneId]) {
        if let Some(member) = self.member(key) {
            member.paused.extend(lanes.iter().map(|lane| lane.0));
        }
    }

    /// Hands over messages of these lanes again.
    pub(crate) fn resume(&mut self, key: MemberKey, lanes: &[LaneId]) {
        if let Some(member) = self.member(key) {
            lanes.iter().for_each(|lane| {
                member.paused.remove(&lane.0);
            });
            member.wake();
        }
    }
}

impl Destination {
    /// Where a start lies in each partition.
    pub(super) fn positions(&self, start: Start) -> Vec<u64> {
        let each = self.logs.iter().map(|log| match start {
            Start::Latest => log.end(),
            Start::Time(time) => log.first_since(nanos(time)),
            Start::Position(position) => log.first_from(position),
            _ => log.first_from(0),
        });
        each.collect()
    }

    /// Where a replay begins in each partition.
    pub(super) fn replay(&self, from: ReplayFrom) -> Vec<u64> {
        self.positions(match from {
            ReplayFrom::Earliest => Start::Earliest,
            ReplayFrom::Latest => Start::Latest,
            ReplayFrom::Time(time) => Start::Time(time),
            ReplayFrom::Position(position) => Start::Position(position),
        })
    }
}
