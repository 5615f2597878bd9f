//! What can be seen from outside, and what can be asked for.

use std::time::Duration;

use mq_core::binder::{Cursor, DestinationInfo, GroupInfo, Lag, ReplayFrom};

use super::{
    State,
    destination::Destination,
    lane::{Lane, Pick},
    log::{Entry, Log},
};
use crate::{options::GroupMode, record::Change};

/// A message to be looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peek {
    pub(crate) partition: u32,
    pub(crate) pick: Pick,
    pub(crate) handled: bool,
}

impl State {
    /// Every destination.
    pub(crate) fn list(&self) -> Vec<DestinationInfo> {
        let all = self.destinations.values().map(|destination| {
            let route = &destination.route;
            let mut info = DestinationInfo::new(route.name.clone(), route.options.partitions);
            let logs = destination.logs.iter();
            info.messages = Some(logs.map(|log| log.entries.len()).sum());
            let unused = destination.unused(self.boots);
            let ends = destination
                .logs
                .iter()
                .map(|log| log.end().saturating_sub(unused));
            info.published = Some(ends.sum());
            let logs = destination.logs.iter();
            info.bytes = Some(logs.map(|log| log.entries.bytes()).sum());
            info
        });
        all.collect()
    }
}

impl Destination {
    /// How a group hands out.
    pub(crate) fn mode(&self, group: &str) -> Option<GroupMode> {
        Some(self.groups.get(&self.group(group)?)?.mode)
    }

    /// The groups that have a name.
    pub(crate) fn list_groups(&self) -> Vec<GroupInfo> {
        let named = self.groups.values().filter(|group| !group.name.is_empty());
        let infos = named.map(|group| {
            let members = u32::try_from(group.members.len()).unwrap_or(u32::MAX);
            // A consumer is a member once for each of its subscriptions.
            GroupInfo::new(group.name.clone(), members)
        });
        infos.collect()
    }

    /// What a group has before it.
    pub(crate) fn lag(&self, group: &str, now: u64) -> Option<Lag> {
        let group = self.groups.get(&self.group(group)?)?;
        let lanes = || group.lanes.iter().zip(&self.logs);
        let messages = lanes().map(|(lane, log)| lane.lag(log)).sum();
        let oldest = lanes().filter_map(|(lane, log)| oldest(lane, log)).min();
        let age = oldest.map(|time| Duration::from_nanos(now.saturating_sub(time)));
        Some(Lag::new(messages, age))
    }

    /// Messages from a cursor on, partition by partition; the cursor is moved behind them.
    pub(crate) fn peek(&self, cursor: &mut Cursor, max: usize) -> Vec<Peek> {
        cursor.0.resize(self.logs.len(), 0);
        let mut peeks = Vec::new();
        for ((partition, log), next) in (0..).zip(&self.logs).zip(&mut cursor.0) {
            let room = max - peeks.len();
            for (position, entry) in log.entries.iter_from(*next).take(room) {
                *next = position + 1;
                peeks.push(Peek {
                    partition,
                    pick: Pick::of(position, &entry),
                    handled: entry.is(Entry::HANDLED),
                });
            }
        }
        peeks
    }

    /// The message at a position.
    pub(crate) fn entry(&self, partition: u32, position: u64) -> Option<&Entry> {
        self.logs.get(partition as usize)?.get(position)
    }

    /// The name of a group; empty where it is anonymous.
    pub(crate) fn group_name(&self, group: u32) -> Option<std::sync::Arc<str>> {
        Some(self.groups.get(&group)?.name.clone())
    }

    /// The change that removes every message, and how many that are.
    pub(crate) fn purge(&self) -> (Change, u64) {
        let change = Change::Purge {
            destination: self.route.id,
            to: self.logs.iter().map(Log::end).collect(),
        };
        (change, self.logs.iter().map(|log| log.entries.len()).sum())
    }

    /// The change that moves a group.
    pub(crate) fn seek(&self, group: &str, from: ReplayFrom) -> Option<Change> {
        Some(Change::Seek {
            destination: self.route.id,
            group: self.group(group)?,
            from: self.replay(from),
        })
    }
}

/// When the oldest message that is not settled was stored.
fn oldest(lane: &Lane, log: &Log) -> Option<u64> {
    let floor = lane.first_open(log);
    (floor < log.end()).then(|| log.time(floor))
}
