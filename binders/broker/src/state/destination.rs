//! Destinations with their partitions and groups.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence},
    },
};

use tokio::sync::Notify;

use super::{lane::Lane, log::Log};
use crate::options::{DestinationOptions, GroupMode};

/// What publishers need of a destination, without the state's lock.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) id: u32,
    pub(crate) name: Arc<str>,
    pub(crate) options: DestinationOptions,
    pub(crate) load: Arc<Load>,
    /// Whether the destination has other partitions by now.
    is_stale: AtomicBool,
}

/// How much a destination holds; the same whatever its options are.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Messages that are stored and not settled, and those on their way.
    messages: AtomicU64,
    /// Their bytes.
    bytes: AtomicU64,
    /// Who waits for room.
    pub(crate) room: Notify,
    /// How many wait for it.
    waiting: AtomicU32,
    /// The partition of the next message without a key.
    pub(crate) turn: AtomicU32,
    /// Whether nothing is taken for the moment.
    is_closed: AtomicBool,
    /// Whether a message is not settled that is older than the destination keeps.
    is_overdue: AtomicBool,
}

impl Route {
    pub(super) fn new(id: u32, name: &str, options: DestinationOptions) -> Self {
        Self {
            id,
            name: name.into(),
            options,
            load: Arc::default(),
            is_stale: AtomicBool::new(false),
        }
    }

    /// The same destination with other options.
    pub(super) fn with(&self, options: DestinationOptions) -> Self {
        let is_stale = options.partitions != self.options.partitions;
        self.is_stale.store(is_stale, Ordering::Release);
        Self {
            id: self.id,
            name: self.name.clone(),
            options,
            load: self.load.clone(),
            is_stale: AtomicBool::new(false),
        }
    }

    /// Whether the destination has other partitions by now.
    pub(crate) fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Acquire)
    }

    /// Takes no messages until it is opened again.
    pub(crate) fn close(&self) {
        self.load.is_closed.store(true, Ordering::SeqCst);
    }

    /// Takes messages again.
    pub(crate) fn open(&self) {
        self.load.is_closed.store(false, Ordering::SeqCst);
        self.load.room.notify_waiters();
    }

    /// Whether it takes no messages for the moment.
    pub(crate) fn is_closed(&self) -> bool {
        self.load.is_closed.load(Ordering::SeqCst)
    }

    /// Says whether a message is not settled that is older than the destination keeps.
    pub(super) fn set_overdue(&self, is_overdue: bool) {
        if self.load.is_overdue.swap(is_overdue, Ordering::SeqCst) && !is_overdue {
            self.load.room.notify_waiters();
        }
    }

    /// Whether a message is not settled that is older than the destination keeps.
    pub(crate) fn is_overdue(&self) -> bool {
        self.load.is_overdue.load(Ordering::SeqCst)
    }

    /// Messages that it holds or that are on their way.
    pub(crate) fn messages(&self) -> u64 {
        self.load.messages.load(Ordering::SeqCst)
    }

    /// Counts messages, unless there is no room for them.
    pub(crate) fn reserve(&self, messages: u64, bytes: u64) -> bool {
        let before = self.load.messages.fetch_add(messages, Ordering::Relaxed);
        let size = self.load.bytes.fetch_add(bytes, Ordering::Relaxed);
        // What is larger than the limit alone has its place in an empty destination.
        let fits = !self.is_closed()
            && (before == 0
                || (!self.is_overdue()
                    && before + messages <= self.options.max_messages
                    && size + bytes <= self.options.room()));
        if !fits {
            self.free(messages, bytes);
        }
        fits
    }

    /// Counts messages without asking for room.
    pub(crate) fn add(&self, messages: u64, bytes: u64) {
        self.load.messages.fetch_add(messages, Ordering::Relaxed);
        self.load.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives back room that was taken for messages on their way.
    pub(crate) fn release(&self, messages: u64, bytes: u64) {
        self.free(messages, bytes);
        // Either who waits sees the room, or this sees who waits.
        fence(Ordering::SeqCst);
        if self.load.waiting.load(Ordering::Relaxed) > 0 {
            self.load.room.notify_waiters();
        }
    }

    /// To be called before [`room`](Self::room) is listened to, and kept while it is.
    pub(crate) fn waits(&self) -> Waiting<'_> {
        self.load.waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Waiting(&self.load.waiting)
    }

    /// Messages that are settled, or were not stored.
    #[inline]
    pub(crate) fn free(&self, messages: u64, bytes: u64) {
        self.load.messages.fetch_sub(messages, Ordering::Relaxed);
        self.load.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Counts one who waits, as long as it does.
#[derive(Debug)]
pub(crate) struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Messages that are stored and not settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Stored {
    #[inline]
    pub(super) fn add(&mut self, len: u32) {
        self.messages += 1;
        self.bytes += u64::from(len);
    }

    #[inline]
    pub(super) fn sub(&mut self, len: u32) {
        self.messages -= 1;
        self.bytes -= u64::from(len);
    }

    pub(super) fn fits(self, options: &DestinationOptions) -> bool {
        self.messages <= options.max_messages && self.bytes <= options.room()
    }
}

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    /// Empty where it is anonymous.
    pub(super) name: Arc<str>,
    /// One for each partition.
    pub(super) lanes: Vec<Lane>,
    /// Its consumers, by their places, in the order in which they came.
    pub(super) members: Vec<usize>,
    pub(super) mode: GroupMode,
}

/// A destination.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) route: Arc<Route>,
    pub(super) logs: Vec<Log>,
    pub(crate) stored: Stored,
    pub(super) groups: BTreeMap<u32, Group>,
    /// The number of the next group.
    pub(super) next_group: u32,
    /// The same, with numbers that were given out and are not in the journal yet.
    pub(super) reserved: u32,
    /// In each partition, the end of what may have made the process before this one crash.
    pub(super) suspects: Vec<u64>,
}

impl Destination {
    pub(super) fn new(route: Arc<Route>) -> Self {
        let partitions = route.options.partitions as usize;
        Self {
            route,
            stored: Stored::default(),
            logs: (0..partitions).map(|_| Log::default()).collect(),
            groups: BTreeMap::new(),
            next_group: 1,
            reserved: 1,
            suspects: Vec::new(),
        }
    }

    /// The group of this name.
    pub(crate) fn group(&self, name: &str) -> Option<u32> {
        let mut groups = self.groups.iter();
        let found = groups.find(|(_, group)| !name.is_empty() && &*group.name == name);
        found.map(|(id, _)| *id)
    }

    /// Whether every group has settled the message.
    #[inline]
    pub(super) fn is_settled(&self, partition: usize, position: u64) -> bool {
        let entry = self.logs[partition].get(position);
        if entry.is_some_and(|entry| entry.is(super::log::Entry::HANDLED)) {
            return true;
        }
        !self.groups.is_empty()
            && self
                .groups
                .values()
                .all(|group| group.lanes[partition].is_settled(position))
    }
}
