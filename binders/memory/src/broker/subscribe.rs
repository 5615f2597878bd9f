//! Consumers come and go.

use std::{collections::VecDeque, sync::Arc};

use mq_core::{
    binder::{AssignedLane, ConsumerSpec, Event, Lane},
    error::Result,
    policy::Start,
};
use tokio::sync::Notify;

use super::{
    group::Group,
    log::nanos,
    member::{LaneRef, Member, MemberKey},
    queue::Queue,
    state::State,
};
use crate::{error, filter::Filter, options::Options};

impl State {
    /// A new consumer, and what it is notified through.
    pub(crate) fn subscribe(&mut self, spec: &ConsumerSpec, options: &Options) -> Result<(MemberKey, Arc<Notify>)> {
        if spec.destinations.is_empty() {
            return Err(error::config("a consumer needs at least one destination"));
        }
        let filter = spec.filter.as_deref().map(Filter::parse).transpose()?;
        let mut names = spec.destinations.clone();
        names.sort();
        names.dedup();
        let groups: Vec<_> = names
            .iter()
            .map(|name| {
                let destination = self.find_or_create(name, options);
                (destination, self.join(destination, spec, filter.clone(), options))
            })
            .collect();
        let key = self.enroll(spec, groups);
        self.assign_all(key);
        Ok((key, self.members[key.index].notify.clone()))
    }

    fn join(&mut self, destination: usize, spec: &ConsumerSpec, filter: Option<Filter>, options: &Options) -> usize {
        let known = spec.group.as_deref().and_then(|name| self.destinations[destination].group(name));
        known.unwrap_or_else(|| {
            let start = if spec.group.is_some() { spec.start } else { Start::Latest };
            self.found(destination, spec.group.clone(), start, filter, options)
        })
    }

    /// A new group.
    pub(super) fn found(&mut self, destination: usize, name: Option<Arc<str>>, start: Start, filter: Option<Filter>, options: &Options) -> usize {
        let destination = &mut self.destinations[destination];
        let queues = destination.logs.iter().map(|log| {
            let position = match start {
                Start::Latest => log.end(),
                Start::Time(time) => log.first_since(nanos(time)),
                Start::Position(position) => log.first_from(position.min(log.end())),
                _ => log.start(),
            };
            Queue::starting_at(position)
        });
        let group = Group { name, members: Vec::new(), queues: queues.collect(), filter, founded: None };
        let index = destination.groups.insert(group);
        destination.sweep(options);
        destination.sweep_again();
        index
    }

    fn enroll(&mut self, spec: &ConsumerSpec, groups: Vec<(usize, usize)>) -> MemberKey {
        self.last_member = self.last_member.wrapping_add(1);
        let number = self.last_member;
        let member = Member {
            number,
            notify: Arc::new(Notify::new()),
            is_waiting: false,
            unsettled: 0,
            window: spec.window.max(1),
            lanes: Vec::new(),
            groups: groups.clone(),
            first: 0,
            events: VecDeque::new(),
            ended: None,
        };
        let index = self.members.insert(member);
        for (destination, group) in groups {
            self.destinations[destination].groups[group].members.push(index);
        }
        MemberKey { index, number }
    }

    /// Every partition is a lane of every consumer.
    fn assign_all(&mut self, key: MemberKey) {
        let member = &mut self.members[key.index];
        let mut assigned = Vec::new();
        for (destination, group) in member.groups.clone() {
            let name = &self.destinations[destination].name;
            for partition in 0..self.destinations[destination].logs.len() {
                let id = member.add_lane(LaneRef { destination, group, partition, epoch: key.number });
                let lane = Lane { destination: name.clone(), partition: u32::try_from(partition).unwrap_or(u32::MAX) };
                assigned.push(AssignedLane { id, lane, position: None, saved: None, epoch: key.number });
            }
        }
        member.events.push_back(Event::Assigned(assigned));
    }

    /// The consumer is gone: what it has is handed out to others.
    pub(crate) fn leave(&mut self, key: MemberKey) {
        if self.member(key).is_none() {
            return;
        }
        let member = self.members.remove(key.index);
        for (destination, group) in member.groups {
            self.leave_group(destination, group, key);
        }
    }

    fn leave_group(&mut self, destination: usize, group: usize, key: MemberKey) {
        let Some(destination) = self.destinations.get_mut(destination) else { return };
        let left = &mut destination.groups[group];
        left.members.retain(|index| *index != key.index);
        for queue in &mut left.queues {
            queue.give_back(key.owner());
        }
        if left.name.is_none() {
            destination.groups.remove(group);
            destination.sweep_again();
            destination.wake_publishers();
        } else {
            left.wake(&mut self.members);
        }
    }
}
