//! The messages of one partition.

use mq_core::message::Message;

use super::positions::Positions;

/// A message as it is stored.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) message: Message,
    /// The hash of its key; 0 where order by key is not asked for.
    pub(crate) key: u64,
    /// When it was stored, in nanoseconds since the Unix epoch.
    pub(crate) stored: u64,
    /// Groups that have not settled it.
    pub(crate) pending: u32,
    /// Its bytes, as limits count them.
    pub(crate) size: u32,
    pub(crate) priority: u8,
    /// Whether handing it over needs a closer look: it is scheduled or marked.
    pub(crate) is_special: bool,
    /// Whether replays pass over it.
    pub(crate) is_handled: bool,
}

/// Messages and bytes that a destination keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Usage {
    fn add(&mut self, size: u32) {
        self.messages += 1;
        self.bytes += u64::from(size);
    }

    fn sub(&mut self, size: u32) {
        self.messages -= 1;
        self.bytes -= u64::from(size);
    }
}

/// The messages of one partition that are still kept.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Positions<Entry>,
    /// Below this, a message goes as soon as every group has settled it.
    swept: u64,
    /// The position after the last message with a priority.
    prioritized: u64,
}

impl Log {
    /// The position of the next message.
    pub(crate) fn end(&self) -> u64 {
        self.entries.end()
    }

    /// The position of the earliest message that is kept, or the end.
    pub(crate) fn start(&self) -> u64 {
        self.first_from(0)
    }

    /// The first kept message at or after `position`, or the end.
    pub(crate) fn first_from(&self, position: u64) -> u64 {
        let first = self.entries.next_from(position);
        first.map_or(self.end(), |(position, _)| position)
    }

    /// The first kept message that is not older than `time`, or the end.
    pub(crate) fn first_since(&self, time: u64) -> u64 {
        let mut entries = self.entries.iter();
        let first = entries.find(|(_, entry)| entry.time() >= time);
        first.map_or(self.end(), |(position, _)| position)
    }

    #[inline]
    pub(crate) fn get(&self, position: u64) -> Option<&Entry> {
        self.entries.get(position)
    }

    pub(crate) fn get_mut(&mut self, position: u64) -> Option<&mut Entry> {
        self.entries.get_mut(position)
    }

    pub(crate) fn iter_from(&self, position: u64) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.iter_from(position)
    }

    #[inline]
    pub(crate) fn dense_from(&self, position: u64) -> Option<impl Iterator<Item = Option<&Entry>>> {
        self.entries.dense_from(position)
    }

    /// Whether there is a message with a priority at or after `position`.
    #[inline]
    pub(crate) fn has_priority_from(&self, position: u64) -> bool {
        self.prioritized > position
    }

    /// Stores a message; returns its position.
    #[inline]
    pub(crate) fn push(&mut self, entry: Entry, usage: &mut Usage) -> u64 {
        let position = self.end();
        usage.add(entry.size);
        if entry.priority > 0 {
            self.prioritized = position + 1;
        }
        self.entries.push(entry);
        position
    }

    /// One more group has to settle what is kept from `position` on.
    pub(crate) fn expect_from(&mut self, position: u64) {
        for (_, entry) in self.entries.iter_mut().filter(|(at, _)| *at >= position) {
            entry.pending += 1;
        }
    }

    /// One more group has to settle this message.
    pub(crate) fn expect(&mut self, position: u64) {
        if let Some(entry) = self.entries.get_mut(position) {
            entry.pending += 1;
        }
    }

    /// A group has settled this message.
    #[inline]
    pub(crate) fn settle(&mut self, position: u64, usage: &mut Usage) {
        let swept = self.swept;
        let freed = self.entries.remove_if(position, |entry| {
            entry.pending = entry.pending.saturating_sub(1);
            entry.pending == 0 && position < swept
        });
        if let Some(entry) = freed {
            usage.sub(entry.size);
        }
    }

    /// A group has settled everything in this range.
    pub(crate) fn settle_range(&mut self, from: u64, to: u64, usage: &mut Usage) {
        let mut next = self.first_from(from);
        while next < to {
            self.settle(next, usage);
            next = self.first_from(next + 1);
        }
    }

    /// Frees what every group has settled, below `to` from now on.
    #[inline]
    pub(crate) fn sweep(&mut self, to: u64, usage: &mut Usage) {
        while self.swept < to {
            self.sweep_one(usage);
        }
    }

    #[inline]
    fn sweep_one(&mut self, usage: &mut Usage) -> bool {
        let position = self.swept;
        self.swept += 1;
        let freed = self.entries.remove_if(position, |entry| entry.pending == 0);
        if let Some(entry) = &freed {
            usage.sub(entry.size);
        }
        freed.is_some()
    }

    /// Frees one message that every group has settled, if there is one among those kept for replays.
    pub(crate) fn give_way(&mut self, usage: &mut Usage) -> bool {
        while self.swept < self.end() {
            if self.sweep_one(usage) {
                return true;
            }
        }
        false
    }

    /// Removes a message whatever groups think of it.
    pub(crate) fn remove(&mut self, position: u64, usage: &mut Usage) -> bool {
        let removed = self.entries.remove(position);
        if let Some(entry) = &removed {
            usage.sub(entry.size);
        }
        removed.is_some()
    }
}

impl Entry {
    /// When the message came into being, or else was stored.
    fn time(&self) -> u64 {
        self.message.as_timestamp().map_or(self.stored, nanos)
    }

    /// Whether it can be handed over without a closer look.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.key == 0 && !self.is_special
    }
}

/// Nanoseconds since the Unix epoch; 0 for times before it.
pub(crate) fn nanos(time: std::time::SystemTime) -> u64 {
    let since = time
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
