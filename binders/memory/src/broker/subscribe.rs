//! Consumers come and go.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use mq_core::{
    binder::{AssignedLane, Capability, ConsumerSpec, Event, Lane, ReplayFrom},
    error::Result,
    policy::Start,
};
use tokio::sync::Notify;

use super::{
    Broker,
    group::{Group, Reading},
    member::{Ended, LaneRef, Member, MemberKey},
    number,
    queue::Queue,
    state::State,
    track::Track,
};
use crate::{error, filter::Filter};

/// A consumer that wants to join.
#[derive(Debug)]
pub(crate) struct Joining<'a> {
    pub(crate) spec: &'a ConsumerSpec,
    /// Where its dead letters go, unless to the derived destination.
    pub(crate) letters: Option<Arc<str>>,
    /// The open binder instance that it comes through.
    pub(crate) session: u64,
}

impl State {
    /// A new consumer, and what it is notified through.
    pub(crate) fn subscribe(
        &mut self,
        joining: Joining<'_>,
        broker: &Broker,
    ) -> Result<(MemberKey, Arc<Notify>)> {
        let spec = joining.spec;
        check(spec, broker)?;
        let filter = spec.filter.as_deref().map(Filter::parse).transpose()?;
        let mut names = spec.destinations.clone();
        names.sort();
        names.dedup();
        names
            .iter()
            .try_for_each(|name| self.check_filter(name, spec, filter.as_ref()))?;
        let groups: Vec<_> = names
            .iter()
            .map(|name| {
                let destination = self.find_or_create(name, &broker.options);
                let group = self.join(destination, spec, broker);
                self.destinations[destination].groups[group]
                    .filter
                    .clone_from(&filter);
                (destination, group)
            })
            .collect();
        let key = self.enroll(joining, &groups);
        if broker.options.is_positional {
            groups
                .iter()
                .for_each(|(destination, group)| self.rebalance(*destination, *group, broker));
            self.greet(key);
        } else {
            self.assign_all(key);
        }
        Ok((key, self.members[key.index].notify.clone()))
    }

    /// The consumers of a group have one filter.
    fn check_filter(&self, name: &str, spec: &ConsumerSpec, filter: Option<&Filter>) -> Result<()> {
        let destination = self.find(name).map(|index| &self.destinations[index]);
        let group = destination
            .zip(spec.group.as_deref())
            .and_then(|(destination, group)| Some(&destination.groups[destination.group(group)?]));
        match group {
            Some(group) if !group.members.is_empty() && group.filter.as_ref() != filter => {
                let text = "the group has consumers with another filter; give all of them the same, or this one a group of its own";
                Err(error::config(text).context("destination", name))
            }
            _ => Ok(()),
        }
    }

    fn join(&mut self, destination: usize, spec: &ConsumerSpec, broker: &Broker) -> usize {
        let Some(name) = &spec.group else {
            return self.found(destination, None, Start::Latest, broker);
        };
        let Some(group) = self.destinations[destination].group(name) else {
            return self.found(destination, Some(name.clone()), spec.start, broker);
        };
        if let Some(ends) = self.destinations[destination].groups[group].founded.take() {
            let logs = self.destinations[destination].logs.iter();
            let starts = logs.zip(ends).map(|(log, end)| {
                if spec.start == Start::Latest {
                    end
                } else {
                    log.find(replay(spec.start))
                }
            });
            let starts = starts.collect();
            self.move_group(destination, group, starts, broker);
        }
        group
    }

    /// A new group.
    pub(super) fn found(
        &mut self,
        destination: usize,
        name: Option<Arc<str>>,
        start: Start,
        broker: &Broker,
    ) -> usize {
        let destination = &mut self.destinations[destination];
        let positions = destination.logs.iter().map(|log| log.find(replay(start)));
        let reading = if broker.options.is_positional {
            Reading::Assigned(positions.map(Track::starting_at).collect())
        } else {
            Reading::Shared(positions.map(Queue::starting_at).collect())
        };
        let group = Group {
            name,
            members: Vec::new(),
            reading,
            filter: None,
            founded: None,
            expiry: None,
        };
        let index = destination.groups.insert(group);
        destination.sweep(&broker.options);
        destination.sweep_again();
        index
    }

    fn enroll(&mut self, joining: Joining<'_>, groups: &[(usize, usize)]) -> MemberKey {
        self.last_member = self.last_member.wrapping_add(1);
        let number = self.last_member;
        let member = Member {
            number,
            session: joining.session,
            notify: Arc::new(Notify::new()),
            is_waiting: false,
            unsettled: 0,
            window: joining.spec.window.max(1),
            lanes: Vec::new(),
            paused: BTreeSet::new(),
            groups: groups.to_vec(),
            first: 0,
            events: VecDeque::new(),
            ended: None,
            letters: joining.letters,
        };
        let index = self.members.insert(member);
        for (destination, group) in groups {
            self.destinations[*destination].groups[*group]
                .members
                .push(index);
        }
        MemberKey { index, number }
    }

    /// Every partition is a lane of every consumer.
    fn assign_all(&mut self, key: MemberKey) {
        let member = &mut self.members[key.index];
        let mut assigned = Vec::new();
        for (destination, group) in member.groups.clone() {
            let found = &self.destinations[destination];
            for partition in 0..found.logs.len() {
                let id = member.add_lane(LaneRef {
                    destination,
                    group,
                    partition,
                    epoch: key.number,
                });
                let lane = Lane {
                    destination: found.name.clone(),
                    partition: number(partition),
                };
                assigned.push(AssignedLane {
                    id,
                    lane,
                    position: None,
                    saved: None,
                    epoch: key.number,
                });
            }
        }
        member.events.push_back(Event::Assigned(assigned));
    }

    /// Where nothing is free yet, the first event is an assignment of nothing; several are one.
    fn greet(&mut self, key: MemberKey) {
        let member = &mut self.members[key.index];
        let mut assigned = Vec::new();
        for event in member.events.drain(..) {
            if let Event::Assigned(lanes) = event {
                assigned.extend(lanes);
            }
        }
        member.events.push_back(Event::Assigned(assigned));
    }

    /// The consumer is gone: what it has is handed out to others.
    pub(crate) fn leave(&mut self, key: MemberKey, broker: &Broker) {
        if self.member(key).is_some() {
            self.leave_groups(key.index, broker);
            self.members.remove(key.index);
        }
    }

    /// The subscription is over although its consumer has not left.
    pub(super) fn retire(&mut self, index: usize, why: Ended, broker: &Broker) {
        self.leave_groups(index, broker);
        if let Some(member) = self.members.get_mut(index) {
            member.ended.get_or_insert(why);
            member.events.clear();
            member.lanes.clear();
            member.unsettled = 0;
            member.wake();
        }
    }

    /// Ends the subscriptions that were opened through this instance, or all.
    pub(crate) fn retire_all(&mut self, session: Option<u64>, why: Ended, broker: &Broker) {
        let members = self
            .members
            .iter()
            .filter(|(_, member)| session.is_none_or(|session| member.session == session));
        let members: Vec<_> = members.map(|(index, _)| index).collect();
        members
            .into_iter()
            .for_each(|index| self.retire(index, why, broker));
        // Publishers that wait for room look again whether anybody is listening.
        self.destinations
            .iter_mut()
            .for_each(|(_, destination)| destination.wake_publishers());
    }

    fn leave_groups(&mut self, index: usize, broker: &Broker) {
        let groups = self
            .members
            .get_mut(index)
            .map(|member| std::mem::take(&mut member.groups));
        for (destination, group) in groups.unwrap_or_default() {
            self.leave_group(destination, group, index, broker);
        }
    }

    fn leave_group(&mut self, destination: usize, group: usize, index: usize, broker: &Broker) {
        let Some(found) = self.destinations.get_mut(destination) else {
            return;
        };
        let left = &mut found.groups[group];
        left.members.retain(|member| *member != index);
        if left.name.is_none() {
            found.groups.remove(group);
            found.sweep_again();
            found.wake_publishers();
            return;
        }
        left.give_back(index, &found.logs);
        left.wake(&mut self.members);
        self.rebalance(destination, group, broker);
    }
}

fn check(spec: &ConsumerSpec, broker: &Broker) -> Result<()> {
    if spec.destinations.is_empty() {
        return Err(error::config("a consumer needs at least one destination"));
    }
    let seeks = matches!(spec.start, Start::Time(_) | Start::Position(_));
    let asks = [
        (spec.group.is_none(), Capability::AnonymousGroups),
        (spec.filter.is_some(), Capability::Filter),
        (seeks, Capability::Seek),
    ];
    let mut refused = asks
        .iter()
        .filter(|(asks, capability)| *asks && !broker.options.has(*capability));
    refused.next().map_or(Ok(()), |(_, capability)| {
        Err(error::unsupported(capability.name()))
    })
}

/// A start as a place to read from.
fn replay(start: Start) -> ReplayFrom {
    match start {
        Start::Latest => ReplayFrom::Latest,
        Start::Time(time) => ReplayFrom::Time(time),
        Start::Position(position) => ReplayFrom::Position(position),
        _ => ReplayFrom::Earliest,
    }
}
