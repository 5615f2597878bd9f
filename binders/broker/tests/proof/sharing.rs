//! Groups: who comes and goes, and whose turn it is.

use std::collections::BTreeSet;

use mq_broker::{Delivered, GroupMode, Subscribe};
use mq_core::error::{ErrorKind, Result};

use crate::{
    model::{Destination, Lane, Place},
    world::{Consumer, World},
};

/// How a partition is read as a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    /// What is handed out next.
    next: u64,
    owner: Option<usize>,
    /// Who has it next.
    heir: Option<usize>,
    handed: BTreeSet<u64>,
}

impl Reader {
    pub(crate) fn at(next: u64) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }

    pub(crate) fn moved(&self, next: u64) -> Self {
        Self {
            next,
            handed: BTreeSet::new(),
            ..self.clone()
        }
    }

    pub(crate) fn hand(&mut self, position: u64) {
        self.next = position + 1;
        self.handed.insert(position);
    }
}

impl Destination {
    pub(crate) fn is_log(&self, group: &str) -> bool {
        self.groups[group].mode == GroupMode::Log
    }

    /// The first message at or after a position that somebody has to handle.
    fn first_open(&self, partition: usize, from: u64) -> Option<u64> {
        let mut kept = self.partitions[partition].kept.range(from..);
        kept.find(|(_, kept)| !kept.handled).map(|(at, _)| *at)
    }

    pub(crate) fn forbids_in_log(
        &self,
        group: &str,
        who: usize,
        at: Place,
    ) -> Option<&'static str> {
        let reader = &self.groups[group].lanes[at.0 as usize].reader;
        if reader.owner != Some(who) || reader.heir.is_some() {
            return Some("is for another member");
        }
        let first = self.first_open(at.0 as usize, reader.next);
        (first != Some(at.1)).then_some("is not the next one")
    }

    /// Shares the partitions of a log among the members.
    pub(crate) fn share(&mut self, group: &str) {
        let Some(found) = self.groups.get_mut(group) else {
            return;
        };
        let members = found.members.clone();
        for (partition, lane) in found.lanes.iter_mut().enumerate() {
            let wanted = members.get(partition % members.len().max(1)).copied();
            if lane
                .reader
                .owner
                .is_some_and(|owner| !members.contains(&owner))
            {
                lane.reader = Reader::at(lane.from);
            }
            lane.reader.heir = wanted.filter(|wanted| Some(*wanted) != lane.reader.owner);
        }
        self.pass_on(group);
    }

    fn pass_on(&mut self, group: &str) {
        for partition in 0..self.partitions.len() {
            let from = self.groups[group].lanes[partition].from;
            let first = self.first_open(partition, from);
            let is_log = self.is_log(group);
            let lane = self.lane(group, partition as u32);
            let reader = &mut lane.reader;
            let is_done = reader.handed.is_empty() && first.is_none_or(|at| at >= reader.next);
            if is_log && reader.heir.is_some() && (reader.owner.is_none() || is_done) {
                *reader = Reader {
                    owner: reader.heir,
                    ..Reader::at(from)
                };
            }
        }
    }

    /// These messages of a log are done with, and everything before them.
    pub(crate) fn commit(&mut self, group: &str, places: &[Place]) {
        for (partition, position) in places {
            let lane = self.lane(group, *partition);
            lane.from = lane.from.max(position + 1);
            lane.reader.handed = lane.reader.handed.split_off(&(position + 1));
        }
        self.pass_on(group);
    }

    fn change_mode(&mut self, group: &str, mode: GroupMode) {
        if self.groups[group].mode == mode {
            return;
        }
        for partition in 0..self.partitions.len() {
            let open = self.partitions[partition].kept.iter();
            let lane = &self.groups[group].lanes[partition];
            let mut open = open.filter(|(at, kept)| !kept.handled && !lane.is_settled(**at));
            let end = self.partitions[partition].next;
            let first = open.next().map_or(end, |(at, _)| *at);
            let lane = self.lane(group, partition as u32);
            if mode == GroupMode::Log {
                *lane = Lane {
                    from: first,
                    ..Lane::default()
                };
            }
            lane.forget_consumers();
        }
        let group = self.groups.get_mut(group).expect("there");
        group.mode = mode;
        group.members.clear();
    }

    /// Messages that the group has not settled.
    fn lag(&self, group: &str) -> u64 {
        let lanes = self.groups[group].lanes.iter().zip(&self.partitions);
        let each = lanes.map(|(lane, partition)| {
            let open = partition.kept.iter();
            open.filter(|(at, kept)| !kept.handled && !lane.is_settled(**at))
                .count() as u64
        });
        each.sum()
    }
}

/// Whether an acknowledgement of one of these is one of this message too, in a log.
pub(crate) fn is_covered(one: &Delivered, places: &[Place]) -> bool {
    let mut places = places.iter();
    places.any(|(partition, position)| *partition == one.partition() && one.position() <= *position)
}

pub(crate) fn refused_in_log(said: Result<()>) {
    let error = said.expect_err("there are no single messages");
    // A broker whose disk is gone says that first.
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Unsupported | ErrorKind::Unavailable
        ),
        "{error:?}"
    );
}

impl World {
    pub(crate) async fn join(
        &mut self,
        name: &str,
        group: &str,
        mode: Option<GroupMode>,
        bytes: Option<u64>,
    ) {
        if !self.model.destinations.contains_key(name) || self.consumers.len() >= 6 {
            return;
        }
        self.look_at(name).await;
        let known = self.model.destinations[name].groups.get(group);
        let mut subscribe = Subscribe::to(name).group(group);
        if let Some(mode) = known.map(|known| known.mode).or(mode) {
            subscribe = subscribe.mode(mode);
        }
        if let Some(bytes) = bytes {
            subscribe = subscribe.window_bytes(bytes);
        }
        let is_new = known.is_none();
        let said = self.broker().subscribe(&subscribe).await;
        let mut after = self.model.clone();
        let destination = after.destinations.get_mut(name).expect("there");
        let from = vec![0; destination.partitions.len()];
        destination.add_group(group, &from, mode.unwrap_or_default());
        let subscription = match (is_new, said) {
            (true, said) => self.end(said, after, true),
            (false, said) => {
                assert!(said.is_ok() || self.disk.is_crashed());
                said.ok()
            }
        };
        if let Some(subscription) = subscription {
            self.consumers.push(Consumer {
                number: self.next_consumer,
                destination: name.to_owned(),
                group: group.to_owned(),
                subscription,
                bytes,
                held: Vec::new(),
            });
            let destination = self.model.destinations.get_mut(name).expect("there");
            let members = destination.groups.get_mut(group).expect("there");
            members.members.push(self.next_consumer);
            destination.share(group);
            self.next_consumer += 1;
        }
    }

    pub(crate) fn leave(&mut self, who: usize) {
        if let Some(who) = self.who(who) {
            let gone = self.consumers.remove(who);
            let destination = self.model.destinations.get_mut(&gone.destination);
            destination.expect("there").leave(&gone.group, gone.number);
        }
    }

    pub(crate) async fn change_mode(&mut self, name: &str, group: &str, mode: GroupMode) {
        let known = self.model.destinations.get(name);
        if !known.is_some_and(|known| known.groups.contains_key(group)) {
            return;
        }
        self.look_at(name).await;
        let mut after = self.model.clone();
        let destination = after.destinations.get_mut(name).expect("there");
        let is_same = destination.groups[group].mode == mode;
        destination.change_mode(group, mode);
        let said = self.broker().change_group(name, group, mode).await;
        if self.end(said, after, true).is_some() && !is_same {
            // Their subscriptions have ended.
            self.consumers
                .retain(|consumer| consumer.destination != name || consumer.group != group);
        }
    }

    /// What members of the group have is nobody's any more.
    pub(crate) fn drop_held(&mut self, name: &str, group: &str) {
        let consumers = self.consumers.iter_mut();
        let of_group = consumers.filter(|one| one.destination == name && one.group == group);
        of_group.for_each(|one| one.held.clear());
    }

    /// Compares what can be seen of groups.
    pub(crate) fn look_at_groups(&self, name: &str) {
        let destination = &self.model.destinations[name];
        for (group, known) in &destination.groups {
            let mode = self.broker().group_mode(name, group).expect("there");
            assert_eq!(mode, known.mode, "mode of {group}");
            let lag = self.broker().lag(name, group).expect("there");
            assert_eq!(
                lag.messages,
                destination.lag(group),
                "lag of {group} in {name}"
            );
            assert_eq!(lag.oldest.is_some(), lag.messages > 0);
        }
    }
}
