//! The messages of one partition.

use mq_core::{binder::Positions, message::Message};

/// A message as it is stored.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) message: Message,
    /// The hash of its key; 0 where order by key is not asked for.
    pub(crate) key: u64,
    /// When it was stored, in nanoseconds since the Unix epoch.
    pub(crate) stored: u64,
    /// Its bytes, as limits count them.
    pub(crate) size: u32,
    pub(crate) priority: u8,
    /// What makes it need a closer look: see the constants of [`Entry`].
    pub(crate) marks: u8,
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

    /// Below this, a message goes as soon as every group has settled it.
    #[inline]
    pub(crate) fn swept(&self) -> u64 {
        self.swept
    }

    /// Frees what every group has settled, below `to` from now on.
    #[inline]
    pub(crate) fn sweep(&mut self, to: u64, usage: &mut Usage, is_settled: impl Fn(u64) -> bool) {
        if self.swept >= to {
            return;
        }
        while self.swept < to {
            let position = self.swept;
            self.swept += 1;
            if is_settled(position) {
                self.vacate(position, usage);
            }
        }
        self.entries.tidy();
    }

    /// Frees one message that every group has settled, if there is one among those kept for replays.
    pub(crate) fn give_way(&mut self, usage: &mut Usage, is_settled: impl Fn(u64) -> bool) -> bool {
        let mut freed = false;
        while self.swept < self.end() && !freed {
            let position = self.swept;
            self.swept += 1;
            freed = is_settled(position) && self.vacate(position, usage);
        }
        self.entries.tidy();
        freed
    }

    /// Frees what every group has settled among what was swept already.
    pub(crate) fn sweep_again(&mut self, usage: &mut Usage, is_settled: impl Fn(u64) -> bool) {
        let swept = self
            .entries
            .iter()
            .map(|(position, _)| position)
            .take_while(|at| *at < self.swept);
        let settled: Vec<_> = swept.filter(|position| is_settled(*position)).collect();
        settled.into_iter().for_each(|position| {
            self.vacate(position, usage);
        });
        self.entries.tidy();
    }

    /// Removes a message; [`tidy`](Self::tidy) has to follow some time.
    pub(crate) fn vacate(&mut self, position: u64, usage: &mut Usage) -> bool {
        let Some(entry) = self.entries.get(position) else {
            return false;
        };
        usage.sub(entry.size);
        self.entries.clear(position);
        true
    }

    /// Removes every message.
    pub(crate) fn clear(&mut self, usage: &mut Usage) {
        let positions: Vec<_> = self.entries.iter().map(|(position, _)| position).collect();
        positions.into_iter().for_each(|position| {
            self.vacate(position, usage);
        });
        self.tidy();
    }

    /// Gives back the storage of what was removed.
    pub(crate) fn tidy(&mut self) {
        self.entries.tidy();
    }
}

/// Marks.
impl Entry {
    /// It has a key whose messages keep their order.
    pub(crate) const KEYED: u8 = 1;
    /// It has a priority.
    pub(crate) const PRIORITIZED: u8 = 2;
    /// It is not to be delivered before a time.
    pub(crate) const SCHEDULED: u8 = 4;
    /// It is passed over from now on.
    pub(crate) const HANDLED: u8 = 8;

    #[inline]
    pub(crate) fn is(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }
}

impl Entry {
    #[inline]
    pub(crate) fn new(message: &Message, key: u64, stored: u64, size: u32) -> Self {
        let properties = message.properties();
        let priority = properties.priority.unwrap_or(0);
        let mark = |set: bool, mark: u8| if set { mark } else { 0 };
        let marks = mark(key != 0, Self::KEYED)
            | mark(priority > 0, Self::PRIORITIZED)
            | mark(properties.deliver_at.is_some(), Self::SCHEDULED);
        Self {
            message: message.clone(),
            key,
            stored,
            size,
            priority,
            marks,
        }
    }

    /// When the message came into being, or else was stored.
    fn time(&self) -> u64 {
        self.message.as_timestamp().map_or(self.stored, nanos)
    }

    /// Whether it can be handed over without a closer look.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.marks == 0
    }
}

/// Nanoseconds since the Unix epoch; 0 for times before it.
pub(crate) fn nanos(time: std::time::SystemTime) -> u64 {
    let since = time
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
