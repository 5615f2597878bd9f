//! Destinations that get other options.

use std::sync::Arc;

use mq_core::binder::LaneId;

use super::{
    State,
    destination::Destination,
    lane::Lane,
    log::{Entry, Log},
    member::Turn,
};
use crate::{
    options::{DestinationOptions, Durability, Full},
    record::LaneKey,
};

impl Destination {
    /// Whether a message with a key is not settled: in more partitions, the next one of its key might pass it.
    pub(crate) fn has_open_keys(&self) -> bool {
        let mut entries = self.logs.iter().flat_map(|log| log.entries.iter());
        entries.any(|(_, entry)| entry.key != 0 && !entry.is(Entry::DONE))
    }

    /// What of these options it can get.
    fn possible(&self, mut options: DestinationOptions) -> DestinationOptions {
        let own = &self.route.options;
        let in_memory = |durability| durability == Durability::Memory;
        if in_memory(own.durability) != in_memory(options.durability) {
            options.durability = own.durability;
        }
        if options.partitions < own.partitions || self.has_open_keys() {
            options.partitions = own.partitions;
        }
        options
    }
}

impl State {
    /// The destination is like this from now on, as far as it can.
    pub(super) fn set_options(&mut self, id: u32, options: DestinationOptions) {
        let boots = self.boots;
        let Some(destination) = self.destinations.get_mut(&id) else {
            return;
        };
        let options = destination.possible(options);
        let before = destination.route.options.partitions;
        destination.route = Arc::new(destination.route.with(options));
        let route = destination.route.clone();
        let first = destination.unused(boots);
        for _ in before..route.options.partitions {
            let mut log = Log::default();
            log.entries.skip_to(first);
            destination.logs.push(log);
            for group in destination.groups.values_mut() {
                group.lanes.push(Lane::starting_at(first, group.mode));
            }
        }
        if route.options.full == Full::DropOldest {
            destination.drop_oldest(&mut self.live);
        }
        for partition in 0..destination.logs.len() {
            destination.sweep(partition, &mut self.live);
        }
        let groups: Vec<u32> = destination.groups.keys().copied().collect();
        for partition in before..route.options.partitions {
            self.read_too(id, partition);
        }
        groups.iter().for_each(|group| self.share(id, *group));
        self.touched.insert(id);
        route.load.room.notify_waiters();
    }

    /// Consumers of the destination read this partition too.
    fn read_too(&mut self, destination: u32, partition: u32) {
        for (_, member) in &mut self.members {
            let own = member.lanes.iter();
            let own = own.filter(|lane| lane.destination == destination && lane.partition == 0);
            let groups: Vec<u32> = own.map(|lane| lane.group).collect();
            for group in groups {
                let number = LaneId(u32::try_from(member.lanes.len()).unwrap_or(u32::MAX));
                member.epochs.push(member.number);
                member.lanes.push(LaneKey {
                    destination,
                    group,
                    partition,
                });
                let found = self.destinations.get(&destination);
                let group = found.and_then(|found| found.groups.get(&group));
                let is_log =
                    group.is_some_and(|group| group.mode == crate::options::GroupMode::Log);
                if let Some(turns) = member.turns.as_mut().filter(|_| !is_log) {
                    // Logs are announced when they are given out.
                    turns.push_back(Turn::Gained(number));
                }
                member.wake();
            }
        }
    }
}
