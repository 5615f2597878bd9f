//! What the broker is supposed to do, as simply as it can be said: no disk, no threads, no indexes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use mq_broker::{Durability, GroupMode};

use crate::sharing::Reader;

/// A message of the model: its number is in its body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) id: u64,
    pub(crate) key: Option<u8>,
    pub(crate) partition: u32,
    /// Not to be delivered before.
    pub(crate) due: Option<SystemTime>,
    /// The moment before it was published.
    pub(crate) stamp: SystemTime,
    pub(crate) size: usize,
}

/// A message that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) message: Message,
    pub(crate) handled: bool,
    /// Over all partitions of the destination.
    pub(crate) order: u64,
}

/// What happens to a message beyond the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Full {
    #[default]
    Reject,
    DropOldest,
}

/// A destination.
#[derive(Clone, Debug, Default)]
pub(crate) struct Destination {
    pub(crate) partitions: Vec<Partition>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) limit: u64,
    pub(crate) full: Full,
    pub(crate) durability: Durability,
    order: u64,
}

/// A partition: positions are dense and never used twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Partition {
    pub(crate) kept: BTreeMap<u64, Kept>,
    pub(crate) next: u64,
}

/// A group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// Its share of each partition.
    pub(crate) lanes: Vec<Lane>,
    pub(crate) mode: GroupMode,
    /// Its consumers, in the order in which they came.
    pub(crate) members: Vec<usize>,
}

/// A group's share of a partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    /// What lies before it is settled.
    pub(crate) from: u64,
    pub(crate) settled: BTreeSet<u64>,
    /// By position: the consumer, and the key, which nobody else gets meanwhile.
    pub(crate) out: BTreeMap<u64, (usize, Option<u8>)>,
    pub(crate) delayed: BTreeMap<u64, SystemTime>,
    pub(crate) attempts: BTreeMap<u64, u32>,
    /// What was out when the group was moved: it keeps its turn among messages of its key, although earlier ones are open again.
    pub(crate) carried: BTreeSet<u64>,
    /// Who reads it, in a group that reads a log.
    pub(crate) reader: Reader,
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) destinations: BTreeMap<String, Destination>,
    pub(crate) publishers: BTreeMap<String, Publisher>,
}

/// A publisher that numbers its messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Publisher {
    /// The highest number that was stored.
    pub(crate) last: u64,
    /// How often it was opened: only who has opened it last can publish.
    pub(crate) epoch: u32,
}

/// A place of a message.
pub(crate) type Place = (u32, u64);

impl Lane {
    pub(crate) fn is_settled(&self, position: u64) -> bool {
        position < self.from || self.settled.contains(&position)
    }

    /// The consumers are gone; nobody knows any more what they had.
    pub(crate) fn forget_consumers(&mut self) {
        self.out.clear();
        self.reader = Reader::at(self.from);
        // What was given back since then has its turn for good.
        let attempts = &self.attempts;
        self.carried
            .retain(|position| attempts.contains_key(position));
    }
}

impl Destination {
    pub(crate) fn new(partitions: usize, limit: u64, full: Full, durability: Durability) -> Self {
        Self {
            partitions: vec![Partition::default(); partitions],
            limit,
            full,
            durability,
            ..Self::default()
        }
    }

    /// Whether confirmations wait for the disk.
    pub(crate) fn is_durable(&self) -> bool {
        self.durability == Durability::Commit
    }

    /// Everything that is in memory is gone; positions go on from here.
    pub(crate) fn lose(&mut self, first: u64) {
        for partition in &mut self.partitions {
            partition.kept.clear();
            partition.next = first;
        }
        for lane in self.groups.values_mut().flat_map(|group| &mut group.lanes) {
            *lane = Lane {
                from: first,
                reader: Reader::at(first),
                ..Lane::default()
            };
        }
    }

    /// Whether nobody needs the message any more.
    pub(crate) fn is_done(&self, (partition, position): Place) -> bool {
        let kept = self.partitions[partition as usize].kept.get(&position);
        let lane = |group: &Group| group.lanes[partition as usize].is_settled(position);
        kept.is_none_or(|kept| kept.handled)
            || !self.groups.is_empty() && self.groups.values().all(lane)
    }

    /// Every kept message.
    pub(crate) fn places(&self) -> Vec<Place> {
        let all = (0..).zip(&self.partitions);
        all.flat_map(|(number, partition)| partition.kept.keys().map(move |at| (number, *at)))
            .collect()
    }

    pub(crate) fn kept(&self, (partition, position): Place) -> Option<&Kept> {
        self.partitions.get(partition as usize)?.kept.get(&position)
    }

    fn load(&self) -> u64 {
        let open = self.places().into_iter().filter(|at| !self.is_done(*at));
        open.count() as u64
    }

    /// Whether there is room for so many more.
    pub(crate) fn has_room(&self, more: u64) -> bool {
        self.full == Full::DropOldest || self.load() + more <= self.limit
    }

    /// Stores a message; returns its position.
    pub(crate) fn store(&mut self, message: Message) -> u64 {
        self.order += 1;
        let order = self.order;
        let partition = &mut self.partitions[message.partition as usize];
        let position = partition.next;
        partition.next += 1;
        let kept = Kept {
            message,
            handled: false,
            order,
        };
        partition.kept.insert(position, kept);
        self.drop_oldest();
        position
    }

    /// The oldest go until the rest is within the limit, where that is the policy.
    pub(crate) fn drop_oldest(&mut self) {
        while self.full == Full::DropOldest && self.load() > self.limit {
            let open = self.places().into_iter().filter(|at| !self.is_done(*at));
            let oldest = open.min_by_key(|at| self.kept(*at).map(|kept| kept.order));
            let (partition, position) = oldest.expect("beyond the limit");
            self.partitions[partition as usize].kept.remove(&position);
        }
    }

    pub(crate) fn purge(&mut self) {
        self.partitions
            .iter_mut()
            .for_each(|partition| partition.kept.clear());
    }

    pub(crate) fn handle(&mut self, (partition, position): Place) {
        let partition = &mut self.partitions[partition as usize];
        if let Some(kept) = partition.kept.get_mut(&position) {
            kept.handled = true;
        }
    }

    /// Makes a group that begins at these positions.
    pub(crate) fn add_group(&mut self, name: &str, from: &[u64], mode: GroupMode) {
        let lanes = from.iter().map(|from| Lane {
            from: *from,
            reader: Reader::at(*from),
            ..Lane::default()
        });
        let group = Group {
            lanes: lanes.collect(),
            mode,
            members: Vec::new(),
        };
        self.groups.entry(name.to_owned()).or_insert(group);
    }

    pub(crate) fn ends(&self) -> Vec<u64> {
        self.partitions.iter().map(|one| one.next).collect()
    }

    /// Moves a group; what is out stays out, all else begins afresh.
    pub(crate) fn seek(&mut self, group: &str, from: &[u64]) {
        let group = self.groups.get_mut(group).expect("a group");
        for ((lane, from), log) in group.lanes.iter_mut().zip(from).zip(&self.partitions) {
            let mut out = std::mem::take(&mut lane.out);
            for (position, (_, key)) in &mut out {
                *key = key.filter(|_| log.kept.contains_key(position));
            }
            *lane = Lane {
                from: *from,
                carried: out.keys().copied().collect(),
                out,
                reader: lane.reader.moved(*from),
                ..Lane::default()
            };
        }
    }

    pub(crate) fn lane(&mut self, group: &str, partition: u32) -> &mut Lane {
        &mut self.groups.get_mut(group).expect("a group").lanes[partition as usize]
    }

    pub(crate) fn ack(&mut self, group: &str, places: &[Place]) {
        if self.groups[group].mode == GroupMode::Log {
            return self.commit(group, places);
        }
        for (partition, position) in places {
            let lane = self.lane(group, *partition);
            lane.settled.insert(*position);
            lane.out.remove(position);
            lane.delayed.remove(position);
            lane.attempts.remove(position);
        }
    }

    pub(crate) fn release(
        &mut self,
        group: &str,
        at: Place,
        attempts: u32,
        due: Option<SystemTime>,
    ) {
        let lane = self.lane(group, at.0);
        lane.out.remove(&at.1);
        if lane.is_settled(at.1) {
            // The group has moved on: nobody comes back to it.
            return;
        }
        lane.attempts.insert(at.1, attempts);
        lane.delayed.extend(due.map(|due| (at.1, due)));
    }

    pub(crate) fn hold(&mut self, group: &str, at: Place, attempts: u32) {
        self.lane(group, at.0).attempts.insert(at.1, attempts);
    }

    /// A consumer leaves, and gives back what it has.
    pub(crate) fn leave(&mut self, group: &str, consumer: usize) {
        if let Some(group) = self.groups.get_mut(group) {
            for lane in &mut group.lanes {
                lane.out.retain(|_, (owner, _)| *owner != consumer);
            }
            group.members.retain(|member| *member != consumer);
        }
        self.share(group);
    }

    pub(crate) fn deliver(&mut self, group: &str, (partition, position): Place, consumer: usize) {
        let key = self.kept((partition, position));
        let key = key.and_then(|kept| kept.message.key);
        let is_log = self.groups[group].mode == GroupMode::Log;
        let lane = self.lane(group, partition);
        if is_log {
            return lane.reader.hand(position);
        }
        lane.out.insert(position, (consumer, key));
        lane.delayed.remove(&position);
    }

    /// Why the message must not be delivered to this consumer of the group now.
    pub(crate) fn forbids(
        &self,
        group: &str,
        who: usize,
        at: Place,
        now: SystemTime,
    ) -> Option<&'static str> {
        let group_of = &self.groups[group];
        let lane = &group_of.lanes[at.0 as usize];
        let Some(kept) = self.kept(at) else {
            return Some("is gone");
        };
        if lane.out.contains_key(&at.1) {
            return Some("is with a consumer already");
        }
        if kept.handled {
            return Some("needs no handling");
        }
        if lane.is_settled(at.1) {
            return Some("is settled");
        }
        let due = kept.message.due.into_iter();
        if due
            .chain(lane.delayed.get(&at.1).copied())
            .any(|due| due > now)
        {
            return Some("is early");
        }
        match group_of.mode {
            GroupMode::Key if kept.message.key.is_some() && self.is_behind(group, at) => {
                Some("is behind another one of its key")
            }
            GroupMode::Exclusive if group_of.members.first() != Some(&who) => {
                Some("is for another member")
            }
            GroupMode::Log => self.forbids_in_log(group, who, at),
            _ => None,
        }
    }

    /// Whether another message of the key has to be settled before.
    fn is_behind(&self, group: &str, at: Place) -> bool {
        let lane = &self.groups[group].lanes[at.0 as usize];
        let own = self.kept(at).and_then(|kept| kept.message.key);
        if lane.out.values().any(|(_, key)| *key == own) {
            return true;
        }
        let others = self.partitions[at.0 as usize].kept.iter();
        let mut others = others.filter(|(position, kept)| {
            **position != at.1 && kept.message.key == own && !kept.handled
        });
        others.any(|(position, kept)| {
            let is_open = !lane.is_settled(*position) && kept.message.due.is_none();
            lane.delayed.contains_key(position)
                || (*position < at.1 && is_open && !lane.carried.contains(&at.1))
        })
    }

    /// What may be delivered to this consumer of the group now.
    pub(crate) fn deliverable(&self, group: &str, who: usize, now: SystemTime) -> Vec<Place> {
        let places = self.places().into_iter();
        places
            .filter(|at| self.forbids(group, who, *at, now).is_none())
            .collect()
    }

    /// Why each message must not be delivered.
    pub(crate) fn reasons(
        &self,
        group: &str,
        who: usize,
        now: SystemTime,
    ) -> Vec<(Place, Option<&'static str>)> {
        let places = self.places().into_iter();
        places
            .map(|at| (at, self.forbids(group, who, at, now)))
            .collect()
    }

    /// When something becomes due for the group.
    pub(crate) fn dues(&self, group: &str) -> Vec<SystemTime> {
        let delayed = self.groups[group].lanes.iter();
        let delayed = delayed.flat_map(|lane| lane.delayed.values().copied());
        let kept = self.partitions.iter().flat_map(|one| one.kept.values());
        delayed
            .chain(kept.filter_map(|kept| kept.message.due))
            .collect()
    }
}

impl Model {
    /// Publishes numbered messages; returns the position of each, `None` where it was stored before.
    pub(crate) fn publish(
        &mut self,
        destination: &str,
        messages: &[Message],
        numbers: Option<(&str, u64)>,
    ) -> Vec<Option<u64>> {
        let mut stored = Vec::new();
        for (index, message) in (0..).zip(messages) {
            if let Some((name, first)) = numbers {
                let publisher = self.publishers.get_mut(name).expect("a publisher");
                if first + index <= publisher.last {
                    stored.push(None);
                    continue;
                }
                publisher.last = first + index;
            }
            let destination = self.destinations.get_mut(destination);
            stored.push(Some(destination.expect("there").store(message.clone())));
        }
        stored
    }

    /// The process has ended: nobody has anything, and what was in memory is gone.
    pub(crate) fn restart(&mut self, boots: u32) {
        self.leave_all();
        let all = self.destinations.values_mut();
        for destination in all.filter(|one| one.durability == Durability::Memory) {
            destination.lose(u64::from(boots) << 40);
        }
    }

    /// Every consumer leaves.
    pub(crate) fn leave_all(&mut self) {
        let groups = self.destinations.values_mut();
        let groups = groups.flat_map(|one| one.groups.values_mut());
        for group in groups {
            group.members.clear();
            group.lanes.iter_mut().for_each(Lane::forget_consumers);
        }
    }
}
