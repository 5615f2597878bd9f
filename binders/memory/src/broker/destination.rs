//! A destination: its partitions, groups and limits.

use std::sync::Arc;

use slab::Slab;
use tokio::sync::{Notify, futures::OwnedNotified};

use super::{
    group::Group,
    log::{Entry, Log, Usage},
};
use crate::options::{Full, Options};

/// A destination.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) name: Arc<str>,
    pub(crate) logs: Vec<Log>,
    pub(crate) groups: Slab<Group>,
    pub(crate) usage: Usage,
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

    pub(crate) fn group(&self, name: &str) -> Option<usize> {
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
    pub(super) fn store(&mut self, partition: usize, mut entry: Entry, options: &Options) -> u64 {
        let groups = self.groups.len();
        entry.pending = u32::try_from(groups).unwrap_or(u32::MAX);
        let retain = options.retain.div_ceil(self.logs.len() as u64);
        let log = &mut self.logs[partition];
        let position = log.push(entry, &mut self.usage);
        if groups > 0 {
            log.sweep((position + 1).saturating_sub(retain), &mut self.usage);
        }
        position
    }

    /// Makes room for a message of this size, as far as the limit's policy allows.
    #[inline]
    pub(super) fn make_room(&mut self, size: u32, options: &Options) -> bool {
        while self.is_full_for(size, options) {
            let made =
                self.let_settled_go() || (options.full == Full::DropOldest && self.drop_oldest());
            if !made {
                return false;
            }
        }
        true
    }

    #[inline]
    fn is_full_for(&self, size: u32, options: &Options) -> bool {
        self.usage.messages >= options.limit.messages
            || self.usage.bytes + u64::from(size) > options.limit.bytes
    }

    /// Frees a message that is only kept for replays.
    fn let_settled_go(&mut self) -> bool {
        if self.groups.is_empty() {
            return false;
        }
        let usage = &mut self.usage;
        self.logs.iter_mut().any(|log| log.give_way(usage))
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
            group.queues[partition].lose(position);
        }
        self.logs[partition].remove(position, &mut self.usage)
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

/// Groups that end.
impl Destination {
    /// Removes a group; what it has not settled is settled for it.
    pub(super) fn dissolve(&mut self, group: usize) {
        let group = self.groups.remove(group);
        for (queue, log) in group.queues.iter().zip(&mut self.logs) {
            let end = log.end();
            queue
                .begun()
                .for_each(|position| log.settle(position, &mut self.usage));
            log.settle_range(queue.next(), end, &mut self.usage);
        }
        self.wake_publishers();
    }
}
