//! A destination: its partitions, groups and limits.

use std::{ops::Range, sync::Arc};

use slab::Slab;
use tokio::sync::{Notify, futures::OwnedNotified};

use super::{
    group::Group,
    log::{Entry, Log, Usage},
    member::LaneRef,
};
use crate::options::{Full, Options};

/// A destination.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(super) name: Arc<str>,
    pub(super) logs: Vec<Log>,
    pub(super) groups: Slab<Group>,
    pub(super) usage: Usage,
    /// The partition that the next message without a key goes to.
    turn: usize,
    room: Arc<Notify>,
    /// Whether a publisher waits for room.
    is_awaited: bool,
}

impl Destination {
    pub(super) fn new(name: Arc<str>, partitions: u32) -> Self {
        Self {
            name,
            logs: (0..partitions.max(1)).map(|_| Log::default()).collect(),
            groups: Slab::new(),
            usage: Usage::default(),
            turn: 0,
            room: Arc::default(),
            is_awaited: false,
        }
    }

    pub(super) fn group(&self, name: &str) -> Option<usize> {
        let mut groups = self.groups.iter();
        groups
            .find(|(_, group)| group.name.as_deref() == Some(name))
            .map(|(index, _)| index)
    }

    /// The partitions in turn.
    pub(super) fn next_partition(&mut self) -> usize {
        let turn = self.turn;
        self.turn = (turn + 1) % self.logs.len();
        turn
    }

    /// Stores a message for which there is room; returns its position.
    #[inline]
    pub(super) fn store(&mut self, partition: usize, entry: Entry) -> u64 {
        self.logs[partition].push(entry, &mut self.usage)
    }

    /// Frees what every group has settled, except the last messages, which are kept for replays.
    ///
    /// Without a group everything is kept: it is for the first one.
    #[inline]
    pub(super) fn sweep(&mut self, options: &Options) {
        if self.groups.is_empty() {
            return;
        }
        let retain = options.retain.div_ceil(self.logs.len() as u64);
        for (partition, log) in self.logs.iter_mut().enumerate() {
            let to = log.end().saturating_sub(retain);
            log.sweep(to, &mut self.usage, |position| {
                is_settled(&self.groups, partition, position)
            });
        }
    }

    /// Frees what is settled by now and was swept over before.
    pub(super) fn sweep_again(&mut self) {
        if self.groups.is_empty() {
            return;
        }
        for (partition, log) in self.logs.iter_mut().enumerate() {
            log.sweep_again(&mut self.usage, |position| {
                is_settled(&self.groups, partition, position)
            });
        }
    }

    /// Frees those of these messages that every group has settled.
    #[inline]
    pub(super) fn free(&mut self, partition: usize, positions: impl Iterator<Item = u64>) {
        let log = &mut self.logs[partition];
        let mut freed = false;
        for position in positions {
            if position < log.swept() && is_settled(&self.groups, partition, position) {
                freed |= log.vacate(position, &mut self.usage);
            }
        }
        if freed {
            log.tidy();
        }
    }

    /// The messages and bytes that may go once a group has settled these positions of a lane.
    pub(super) fn freed_by(&self, lane: LaneRef, positions: Range<u64>) -> (u64, u64) {
        let others = |position| {
            let mut others = self.groups.iter().filter(|(index, _)| *index != lane.group);
            others.all(|(_, group)| group.is_settled(lane.partition, position))
        };
        let entries = self.logs[lane.partition]
            .iter_from(positions.start)
            .take_while(|(position, _)| *position < positions.end)
            .filter(|(position, _)| others(*position));
        entries.fold((0, 0), |(messages, bytes), (_, entry)| {
            (messages + 1, bytes + u64::from(entry.size))
        })
    }

    /// Makes room for so many messages and bytes, as far as the limit's policy allows.
    #[inline]
    pub(super) fn make_room(&mut self, messages: u64, bytes: u64, options: &Options) -> bool {
        while self.is_full_for(messages, bytes, options) {
            let made =
                self.let_settled_go() || (options.full == Full::DropOldest && self.drop_oldest());
            if !made {
                return false;
            }
        }
        true
    }

    #[inline]
    fn is_full_for(&self, messages: u64, bytes: u64, options: &Options) -> bool {
        let too_many = self.usage.messages.saturating_add(messages) > options.limit.messages;
        too_many || self.usage.bytes.saturating_add(bytes) > options.limit.bytes
    }

    /// Frees a message that is only kept for replays.
    fn let_settled_go(&mut self) -> bool {
        if self.groups.is_empty() {
            return false;
        }
        let (usage, groups) = (&mut self.usage, &self.groups);
        let mut logs = self.logs.iter_mut().enumerate();
        logs.any(|(partition, log)| {
            log.give_way(usage, |position| is_settled(groups, partition, position))
        })
    }

    fn drop_oldest(&mut self) -> bool {
        let firsts = self.logs.iter().enumerate().filter_map(|(partition, log)| {
            let (position, entry) = log.iter_from(0).next()?;
            Some((entry.stored, partition, position))
        });
        let Some((_, partition, position)) = firsts.min() else {
            return false;
        };
        self.remove(partition, position)
    }

    /// Removes a message whatever groups think of it.
    pub(super) fn remove(&mut self, partition: usize, position: u64) -> bool {
        for (_, group) in &mut self.groups {
            group.lose(partition, position);
        }
        let removed = self.logs[partition].vacate(position, &mut self.usage);
        self.logs[partition].tidy();
        removed
    }

    /// What a publisher waits on for whom there is no room.
    pub(super) fn await_room(&mut self) -> OwnedNotified {
        self.is_awaited = true;
        self.room.clone().notified_owned()
    }

    /// Something was settled: there may be room.
    #[inline]
    pub(super) fn wake_publishers(&mut self) {
        if self.is_awaited {
            self.is_awaited = false;
            self.room.notify_waiters();
        }
    }
}

/// Whether every group is done with a message.
#[inline]
fn is_settled(groups: &Slab<Group>, partition: usize, position: u64) -> bool {
    groups
        .iter()
        .all(|(_, group)| group.is_settled(partition, position))
}
