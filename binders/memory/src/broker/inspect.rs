//! Looking after destinations and groups.

use std::time::Duration;

use mq_core::{
    binder::{Browsed, Cursor, DestinationInfo, GroupInfo, Lag},
    error::Result,
};

use super::{
    Broker,
    log::{Entry, Log, nanos},
    member::Ended,
    number,
    state::State,
};
use crate::error;

impl State {
    pub(crate) fn known(&self, name: &str) -> Result<usize> {
        self.find(name).ok_or_else(|| error::no_destination(name))
    }

    pub(crate) fn known_group(&self, name: &str, group: &str) -> Result<(usize, usize)> {
        let destination = self.known(name)?;
        let found = self.destinations[destination].group(group);
        found
            .map(|found| (destination, found))
            .ok_or_else(|| error::no_group(name, group))
    }

    /// Every destination, by name.
    pub(crate) fn list(&self) -> Vec<DestinationInfo> {
        let destinations = self.destinations.iter().map(|(_, found)| found);
        let mut list: Vec<_> = destinations
            .map(|found| {
                let mut info = DestinationInfo::new(found.name.clone(), number(found.logs.len()));
                info.messages = Some(found.usage.messages);
                info.bytes = Some(found.usage.bytes);
                info.published = Some(found.logs.iter().map(Log::end).sum());
                info
            })
            .collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        list
    }

    /// The named groups of a destination, by name.
    pub(crate) fn groups(&self, destination: usize) -> Vec<GroupInfo> {
        let groups = self.destinations[destination].groups.iter();
        let named = groups.filter_map(|(_, group)| {
            Some(GroupInfo::new(
                group.name.clone()?,
                number(group.members.len()),
            ))
        });
        let mut list: Vec<_> = named.collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        list
    }

    pub(crate) fn lag(&self, destination: usize, group: usize, broker: &Broker) -> Lag {
        let found = &self.destinations[destination];
        let group = &found.groups[group];
        let oldest = group.oldest(&found.logs);
        let age = |stored| Duration::from_nanos(nanos(broker.clock.wall()).saturating_sub(stored));
        Lag::new(group.lag(&found.logs), oldest.map(age))
    }

    /// Shows messages, partition by partition.
    pub(crate) fn browse(
        &self,
        destination: usize,
        cursor: &mut Cursor,
        max: usize,
    ) -> Vec<Browsed> {
        let logs = &self.destinations[destination].logs;
        cursor.0.resize(logs.len(), 0);
        let mut shown = Vec::new();
        for (partition, (log, next)) in logs.iter().zip(&mut cursor.0).enumerate() {
            for (position, entry) in log.iter_from(*next).take(max - shown.len()) {
                *next = position + 1;
                let handled = entry.is(Entry::HANDLED);
                shown.push(Browsed {
                    partition: number(partition),
                    position,
                    message: entry.message.clone(),
                    handled,
                });
            }
        }
        shown
    }

    /// Takes a message out of the sight of whoever has not begun with it.
    pub(crate) fn mark_handled(
        &mut self,
        destination: usize,
        partition: u32,
        position: u64,
    ) -> Result<()> {
        let found = &mut self.destinations[destination];
        let partitions = found.logs.len();
        let log = found.logs.get_mut(partition as usize);
        let log = log.ok_or_else(|| error::no_partition(&found.name, partition, partitions))?;
        let entry = log
            .get_mut(position)
            .ok_or_else(|| error::no_message(&found.name, partition, position))?;
        entry.marks |= Entry::HANDLED;
        // Who waits passes over it, and settles it thereby.
        for (_, group) in &found.groups {
            group.wake(&mut self.members);
        }
        Ok(())
    }

    /// Removes every message; returns how many.
    pub(crate) fn purge(&mut self, destination: usize) -> u64 {
        let found = &mut self.destinations[destination];
        let messages = found.usage.messages;
        for log in &mut found.logs {
            log.clear(&mut found.usage);
        }
        for (_, group) in &mut found.groups {
            for (queue, log) in group
                .reading
                .queues()
                .into_iter()
                .flatten()
                .zip(&found.logs)
            {
                queue.purge(log);
            }
        }
        found.wake_publishers();
        messages
    }

    /// Removes a destination; its consumers come to their end.
    pub(crate) fn delete(&mut self, destination: usize, broker: &Broker) {
        let readers = self
            .members
            .iter()
            .filter(|(_, member)| member.groups.iter().any(|(at, _)| *at == destination));
        let readers: Vec<_> = readers.map(|(index, _)| index).collect();
        readers
            .into_iter()
            .for_each(|index| self.retire(index, Ended::Deleted, broker));
        self.remove(destination).wake_publishers();
    }
}
