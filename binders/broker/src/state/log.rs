//! The messages of one partition: where each is in the journal, and what decides about its delivery.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    num::NonZeroU64,
};

use super::{ends::Ends, index::Index};
use crate::record::FLEETING;

/// A message that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where its record is.
    pub(crate) lsn: NonZeroU64,
    /// The hash of its key, or 0.
    pub(crate) key: u64,
    /// Bytes of its record.
    pub(crate) len: u32,
    pub(crate) marks: u32,
}

impl Entry {
    /// Every group has settled it; it is kept for replays.
    pub(crate) const DONE: u32 = 1;
    /// It needs no handling any more.
    pub(crate) const HANDLED: u32 = 2;
    /// It waits for its time.
    pub(crate) const SCHEDULED: u32 = 4;
    /// Its time will be up some day.
    pub(crate) const ENDS: u32 = 8;

    /// Whether it is in memory only.
    #[inline]
    pub(crate) fn is_fleeting(&self) -> bool {
        self.lsn.get() & FLEETING != 0
    }

    #[inline]
    pub(crate) fn is(&self, mark: u32) -> bool {
        self.marks & mark != 0
    }

    /// Whether it has neither marks that a lane has to look at, nor a key, unless that does not matter.
    #[inline]
    pub(super) fn is_plain(&self, ignores_keys: bool) -> bool {
        (ignores_keys || self.key == 0)
            && self.marks & (Self::HANDLED | Self::SCHEDULED | Self::ENDS) == 0
    }
}

/// When messages were stored: the first position of each frame.
pub(super) type Times = VecDeque<(u64, u64)>;

/// The messages of a partition.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(super) entries: Index,
    pub(super) times: Times,
    /// By time: what waits for it.
    pub(super) scheduled: BinaryHeap<Reverse<(u64, u64)>>,
    /// When the time of messages is up.
    pub(super) ends: Ends,
    /// What waits no longer, and did when the last frame was written.
    pub(super) fired: Vec<(u64, u64)>,
    /// How many entries are done.
    pub(super) done: u64,
    /// Everything before this that is done is gone.
    pub(super) swept: u64,
}

impl Log {
    /// The position of the next message.
    #[inline]
    pub(crate) fn end(&self) -> u64 {
        self.entries.end()
    }

    /// The first kept message at or after `position`, or the end.
    pub(crate) fn first_from(&self, position: u64) -> u64 {
        let first = self.entries.next_from(position);
        first.map_or(self.end(), |(position, _)| position)
    }

    /// The first message at or after `position` that needs handling, or the end.
    pub(super) fn first_open(&self, position: u64) -> u64 {
        let open = self.entries.first_unhandled(position);
        open.unwrap_or(self.end())
    }

    /// How many messages there are at or after `position` that need handling.
    pub(super) fn count_open(&self, position: u64) -> u64 {
        self.entries.count_unhandled(position)
    }

    /// A message needs no handling any more; returns its key, if it is there.
    pub(super) fn handle(&mut self, position: u64) -> Option<u64> {
        let key = self.entries.get(position)?.key;
        self.entries.handle(position);
        self.ends.remove(position);
        Some(key)
    }

    #[inline]
    pub(crate) fn get(&self, position: u64) -> Option<&Entry> {
        self.entries.get(position)
    }

    /// Stores a message; returns its position.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry, due: Option<u64>, time: u64) -> u64 {
        let position = self.end();
        self.entries.push(entry);
        if self.times.back().is_none_or(|(_, last)| *last != time) {
            self.times.push_back((position, time));
        }
        if let Some(due) = due {
            self.scheduled.push(Reverse((due, position)));
        }
        position
    }

    /// When the message at `position` was stored, in nanoseconds since the Unix epoch.
    pub(crate) fn time(&self, position: u64) -> u64 {
        let index = self.times.partition_point(|(first, _)| *first <= position);
        let entry = index.checked_sub(1).and_then(|index| self.times.get(index));
        entry.map_or(0, |(_, time)| *time)
    }

    /// The first kept message that is not older than `time`, or the end.
    pub(crate) fn first_since(&self, time: u64) -> u64 {
        let index = self.times.partition_point(|(_, stored)| *stored < time);
        let first = self
            .times
            .get(index)
            .map_or(self.end(), |(first, _)| *first);
        self.first_from(first)
    }

    /// Takes the next message whose time has come.
    ///
    /// `time` is that of the last frame: what is due later waits still, as far as the journal knows.
    pub(super) fn pop_due(&mut self, now: u64, time: u64) -> Option<u64> {
        let Reverse((due, position)) = *self.scheduled.peek()?;
        if due > now {
            return None;
        }
        self.scheduled.pop();
        if self.fired.first().is_some_and(|(due, _)| *due <= time) {
            self.fired.retain(|(due, _)| *due > time);
        }
        if due > time {
            self.fired.push((due, position));
        }
        if let Some(entry) = self.entries.get_mut(position) {
            entry.marks &= !Entry::SCHEDULED;
        }
        Some(position)
    }

    /// When the next message becomes due.
    pub(super) fn due(&self) -> Option<u64> {
        self.scheduled.peek().map(|Reverse((due, _))| *due)
    }

    /// Marks a message as done; returns whether it was not.
    #[inline]
    pub(super) fn finish(&mut self, position: u64) -> Option<u32> {
        let entry = self.entries.get_mut(position)?;
        if entry.is(Entry::DONE) {
            return None;
        }
        entry.marks |= Entry::DONE;
        self.done += 1;
        Some(entry.len)
    }

    /// A message that was done is not any more.
    pub(super) fn reopen(&mut self, position: u64) -> Option<u32> {
        let entry = self.entries.get_mut(position)?;
        if !entry.is(Entry::DONE) {
            return None;
        }
        entry.marks &= !Entry::DONE;
        self.done -= 1;
        Some(entry.len)
    }

    /// Removes a message if it is done.
    #[inline]
    pub(super) fn remove_done(&mut self, position: u64) -> Option<Entry> {
        if !self.get(position)?.is(Entry::DONE) {
            return None;
        }
        self.remove(position)
    }

    /// Removes a message, done or not.
    #[inline]
    pub(super) fn remove(&mut self, position: u64) -> Option<Entry> {
        let entry = self.entries.remove(position)?;
        if entry.is(Entry::DONE) {
            self.done -= 1;
        }
        if entry.is(Entry::ENDS) {
            self.ends.remove(position);
        }
        Some(entry)
    }

    /// Gives back the storage of what was removed.
    pub(super) fn tidy(&mut self) {
        if self.times.len() < 2 {
            return;
        }
        let first = self.entries.first().unwrap_or(self.end());
        while self.times.get(1).is_some_and(|(next, _)| *next <= first) {
            self.times.pop_front();
        }
    }
}
