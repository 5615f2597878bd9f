//! Whose turn it is: groups in which not every member has a share of everything.

use std::collections::VecDeque;

use mq_core::binder::{AssignedLane, LaneId};

use super::{
    State,
    destination::{Destination, Group},
    lane::NotYours,
    member::{MemberKey, Turn},
};
use crate::{
    options::GroupMode,
    record::{Change, LaneKey},
};

impl Group {
    /// Whether this consumer is handed anything.
    #[inline]
    pub(super) fn is_turn(&self, index: usize) -> bool {
        self.mode != GroupMode::Exclusive || self.members.first() == Some(&index)
    }
}

impl Destination {
    /// How the group of this number hands out, and to how many members.
    pub(crate) fn mode_of(&self, group: u32) -> Option<(GroupMode, usize)> {
        let group = self.groups.get(&group)?;
        Some((group.mode, group.members.len()))
    }
}

impl State {
    /// Shares the partitions of a log among its group's members; who gives one up keeps it until what it has is settled.
    pub(super) fn share(&mut self, destination: u32, group: u32) {
        let Some(found) = self.destinations.get_mut(&destination) else {
            return;
        };
        let Some(found) = found.groups.get_mut(&group) else {
            return;
        };
        if found.mode != GroupMode::Log {
            return;
        }
        let members = found.members.iter();
        let members = members.filter_map(|index| Some(self.members.get(*index)?.number));
        let members: Vec<u32> = members.collect();
        let mut leaving = Vec::new();
        for (partition, lane) in found.lanes.iter_mut().enumerate() {
            let wanted = members.get(partition % members.len().max(1)).copied();
            let owner = lane.cursor.as_ref().map_or(0, |cursor| cursor.owner);
            if !members.contains(&owner) {
                lane.take_away();
            }
            let Some(cursor) = &mut lane.cursor else {
                continue;
            };
            if !members.contains(&owner) {
                cursor.owner = 0;
            }
            let before = cursor.heir;
            cursor.heir = wanted.filter(|wanted| *wanted != cursor.owner).unwrap_or(0);
            if cursor.heir != 0 && before == 0 && cursor.owner != 0 {
                leaving.push((partition, cursor.owner));
            }
        }
        for (partition, owner) in leaving {
            self.tell(destination, group, partition, owner, Turn::Leaving);
        }
        self.pass_on(destination, group);
        self.touched.insert(destination);
    }

    /// Gives partitions to those who are to have them, as far as those who had them are done.
    pub(super) fn pass_on(&mut self, destination: u32, group: u32) {
        let Some(found) = self.destinations.get_mut(&destination) else {
            return;
        };
        let Some(own) = found.groups.get_mut(&group) else {
            return;
        };
        let announcing = self.members.iter();
        let announcing = announcing.filter(|(_, member)| member.turns.is_some());
        let announcing: Vec<u32> = announcing.map(|(_, member)| member.number).collect();
        let mut gained = Vec::new();
        for (partition, (lane, log)) in own.lanes.iter_mut().zip(&found.logs).enumerate() {
            let next = lane.next();
            let Some(cursor) = &mut lane.cursor else {
                continue;
            };
            // What is written takes effect, whoever has sent it: the next reader begins behind it.
            if cursor.heir == 0 || cursor.is_committing() {
                continue;
            }
            let is_done = cursor.handed.is_empty() && log.first_open(cursor.position) >= next;
            if cursor.owner == 0 || (is_done && !announcing.contains(&cursor.owner)) {
                cursor.owner = std::mem::take(&mut cursor.heir);
                gained.push((partition, cursor.owner));
                lane.take_away();
            }
        }
        let is_any = !gained.is_empty();
        for (partition, owner) in gained {
            self.tell(destination, group, partition, owner, Turn::Gained);
        }
        if is_any {
            self.touched.insert(destination);
        }
    }

    fn tell(
        &mut self,
        destination: u32,
        group: u32,
        partition: usize,
        number: u32,
        turn: impl Fn(LaneId) -> Turn,
    ) {
        let epoch = self.next_number();
        let members = self.members.iter_mut();
        let found = members.map(|(_, member)| member);
        let Some(member) = found.into_iter().find(|member| member.number == number) else {
            return;
        };
        let lane = member.lanes.iter().position(|lane| {
            (lane.destination, lane.group) == (destination, group)
                && lane.partition as usize == partition
        });
        if let (Some(lane), Some(turns)) = (lane, &mut member.turns) {
            let turn = turn(LaneId(u32::try_from(lane).unwrap_or(u32::MAX)));
            if matches!(turn, Turn::Gained(_)) {
                member.epochs[lane] = epoch;
            }
            turns.push_back(turn);
            member.wake();
        }
    }

    /// A consumer that was told to give up lanes has done so; what it still had is handed out again.
    pub(crate) fn released(&mut self, key: MemberKey, lanes: &[LaneId]) {
        for lane in lanes {
            let Some(own) = self.lane_of(key, *lane) else {
                continue;
            };
            let mut count = 0;
            if let Some(lane) = self.lane(own)
                && lane
                    .cursor
                    .as_ref()
                    .is_some_and(|cursor| cursor.owner == key.number)
            {
                count = lane.take_away();
                if let Some(cursor) = &mut lane.cursor {
                    cursor.owner = 0;
                    if cursor.heir == 0 {
                        // Nobody wants it any more: it comes back.
                        cursor.heir = key.number;
                    }
                }
            }
            self.has_nothing(key, own, count);
            self.pass_on(own.destination, own.group);
        }
        self.wake();
    }

    /// Whether the group of a lane reads a log.
    pub(crate) fn is_log(&mut self, own: LaneKey) -> bool {
        self.lane(own).is_some_and(|lane| lane.cursor.is_some())
    }

    /// The logs that a consumer has got by joining; that it is to give some of them up already, it is told later.
    pub(crate) fn first_gained(&mut self, key: MemberKey) -> Vec<AssignedLane> {
        let turns = self.member(key).and_then(|member| member.turns.as_mut());
        let Some(turns) = turns else {
            return Vec::new();
        };
        let is_gained = |turn: &Turn| matches!(turn, Turn::Gained(_));
        let (gained, rest): (VecDeque<_>, _) = turns.drain(..).partition(is_gained);
        *turns = rest;
        let gained = gained.into_iter().filter_map(|turn| match turn {
            Turn::Gained(lane) => self.assigned(key, lane),
            Turn::Leaving(_) => None,
        });
        gained.collect()
    }

    /// Whether the consumer is told what changes for it.
    pub(crate) fn is_told(&mut self, key: MemberKey) -> bool {
        self.member(key)
            .is_some_and(|member| member.turns.is_some())
    }

    /// Takes everything before `position` from the consumer, these messages; the change settles them.
    pub(crate) fn begin_commit(
        &mut self,
        key: MemberKey,
        own: LaneKey,
        position: u64,
        saved: Option<bytes::Bytes>,
    ) -> Result<(Change, Vec<u64>), NotYours> {
        let lane = self.lane(own).ok_or(NotYours)?;
        let (taken, moves) = lane.begin_commit(position, key.number)?;
        self.has_less(key, own, taken.len(), &taken);
        let change = Change::Commit {
            lane: own,
            position,
            moves,
            saved,
        };
        Ok((change, taken))
    }

    /// Whether the consumer reads this log and has this message.
    pub(crate) fn has_handed(&mut self, key: MemberKey, own: LaneKey, position: u64) -> bool {
        let lane = self.lane(own);
        lane.is_some_and(|lane| lane.has_handed(position, key.number).is_ok())
    }

    /// Everything before `position` is done with in a group that reads a log.
    pub(super) fn commit(
        &mut self,
        key: LaneKey,
        position: u64,
        moves: u32,
        saved: Option<bytes::Bytes>,
    ) {
        let Some(destination) = self.destinations.get_mut(&key.destination) else {
            return;
        };
        let partition = key.partition as usize;
        let (Some(group), Some(log)) = (
            destination.groups.get_mut(&key.group),
            destination.logs.get(partition),
        ) else {
            return;
        };
        let end = log.end();
        let committed = group.lanes[partition].commit(position.min(end), moves, saved);
        let Some(committed) = committed else { return };
        let alone = destination.groups.len() == 1;
        let entries = destination.logs[partition]
            .entries
            .iter_from(committed.start);
        let entries = entries.map(|(position, _)| position);
        let settled: Vec<u64> = entries.take_while(|at| *at < committed.end).collect();
        for position in settled {
            if alone || destination.is_settled(partition, position) {
                destination.finish(partition, position, &mut self.live);
            }
        }
        destination.sweep(partition, &mut self.live);
        destination.route.load.room.notify_waiters();
        self.pass_on(key.destination, key.group);
    }

    /// A group hands out differently from now on; its consumers have to come again.
    pub(super) fn set_mode(&mut self, id: u32, group: u32, mode: GroupMode) {
        let Some(destination) = self.destinations.get_mut(&id) else {
            return;
        };
        let Some(group) = destination.groups.get_mut(&group) else {
            return;
        };
        if group.mode == mode {
            return;
        }
        group.mode = mode;
        for (lane, log) in group.lanes.iter_mut().zip(&destination.logs) {
            *lane = lane.converted(mode, log);
        }
        for index in std::mem::take(&mut group.members) {
            if let Some(member) = self.members.get_mut(index) {
                member.ended = Some(super::Ended::Changed);
                member.wake();
            }
        }
        destination.review(&mut self.live);
        self.touched.insert(id);
    }

    /// The consumer has had a message for too long: another one takes over, if there is one, and everything with it.
    pub(super) fn stand_back(&mut self, key: MemberKey, own: LaneKey) {
        let destination = self.destinations.get_mut(&own.destination);
        let group = destination.and_then(|found| found.groups.get_mut(&own.group));
        let Some(group) = group else { return };
        if group.mode != GroupMode::Exclusive || group.members.first() != Some(&key.index) {
            return;
        }
        group.members.rotate_left(1);
        if group.members.first() == Some(&key.index) {
            return;
        }
        let lanes = (0..).zip(&mut group.lanes);
        let given: Vec<_> = lanes
            .map(|(partition, lane)| (LaneKey { partition, ..own }, lane.give_back(key.number)))
            .collect();
        for (lane, count) in given {
            self.has_nothing(key, lane, count);
        }
        self.touched.insert(own.destination);
    }
}
