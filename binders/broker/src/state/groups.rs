//! Groups that come, go and are moved.

use super::{State, destination::Group, lane::Lane, member::Ended};
use crate::{
    options::GroupMode,
    record::{Change, LaneKey},
};

impl State {
    pub(super) fn add_group(&mut self, destination: u32, id: u32, name: &str, from: &[u64]) {
        let Some(destination) = self.destinations.get_mut(&destination) else {
            return;
        };
        destination.next_group = destination.next_group.max(id.saturating_add(1));
        if destination.group(name).is_some() {
            return;
        }
        let logs = destination.logs.iter().enumerate();
        let lanes = logs.map(|(index, log)| {
            let from = from.get(index).copied().unwrap_or(0);
            Lane::starting_at(from.min(log.end()), GroupMode::default())
        });
        let group = Group {
            name: name.into(),
            lanes: lanes.collect(),
            members: Vec::new(),
            mode: GroupMode::default(),
        };
        destination.groups.insert(id, group);
        destination.review(&mut self.live);
    }

    pub(super) fn forget(&mut self, id: u32, group: u32) {
        let Some(destination) = self.destinations.get_mut(&id) else {
            return;
        };
        let Some(gone) = destination.groups.remove(&group) else {
            return;
        };
        for member in gone.members {
            if let Some(member) = self.members.get_mut(member) {
                member.ended = Some(Ended::Deleted);
                member.wake();
            }
        }
        if !destination.groups.is_empty() {
            destination.review(&mut self.live);
        }
        self.touched.insert(id);
    }

    pub(super) fn move_group(&mut self, id: u32, number: u32, from: &[u64]) {
        let Some(destination) = self.destinations.get_mut(&id) else {
            return;
        };
        let Some(group) = destination.groups.get_mut(&number) else {
            return;
        };
        let mut lost = Vec::new();
        let lanes = group.lanes.iter_mut().zip(&destination.logs).zip(from);
        for (partition, ((lane, log), from)) in (0..).zip(lanes) {
            if *from != Change::STAY {
                // What readers of a log have is nobody's any more.
                let read = lane.cursor.as_ref();
                lost.extend(read.map(|cursor| (partition, cursor.owner, cursor.handed.len())));
                lane.seek(log.first_from(*from), log);
            }
        }
        for (partition, owner, count) in lost {
            let mut members = self.members.iter_mut().map(|(_, member)| member);
            if let Some(member) = members.find(|member| member.number == owner) {
                let lane = LaneKey {
                    destination: id,
                    group: number,
                    partition,
                };
                member.credit.give_all(lane, count);
            }
        }
        destination.review(&mut self.live);
        self.touched.insert(id);
    }
}
