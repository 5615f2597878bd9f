//! The state: a function of the journal, and of who is subscribed.
//!
//! What survives a restart changes in [`apply`](State::apply) only, in the order of the journal, after the journal is durable.
//! Live operation and recovery run the same code.

mod admin;
mod age;
mod apply;
mod crashes;
mod credit;
mod destination;
mod ends;
mod groups;
mod index;
mod keys;
mod lane;
mod live;
mod log;
mod member;
mod memory;
mod options;
mod publishers;
mod settle;
mod snapshot;
mod space;
mod share;
mod subscribe;
mod take;
mod times;

pub(crate) use apply::Applied;
pub(crate) use destination::{Destination, Route};
pub(crate) use ends::Over;
pub(crate) use lane::Pick;
pub(crate) use member::{Ended, MemberKey, Turn};
pub(crate) use settle::Checked;
pub(crate) use snapshot::Invalid;
pub(crate) use subscribe::Joining;
pub(crate) use take::Taken;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use slab::Slab;

use live::Live;
use member::Member;
use publishers::Publishers;

/// Everything that the broker knows.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) destinations: BTreeMap<u32, Destination>,
    names: HashMap<Arc<str>, u32>,
    next_destination: u32,
    /// The same, with numbers that were given out and are not in the journal yet.
    reserved: u32,
    pub(crate) publishers: Publishers,
    members: Slab<Member>,
    /// How many consumers have leases that end.
    leasing: usize,
    next_member: u32,
    live: Live,
    /// Destinations in which something has happened since their consumers were told.
    touched: BTreeSet<u32>,
    /// Where the next frame begins that is to be applied.
    pub(crate) lsn: u64,
    /// The checksum of the last applied frame.
    pub(crate) crc: u32,
    /// When it was written, by the broker's own time.
    pub(crate) time: u64,
    /// How much that was ahead of the time of day, in nanoseconds.
    pub(crate) ahead: i64,
    /// How often the broker was opened with destinations in memory.
    pub(crate) boots: u32,
    /// Whether the process before this one has crashed.
    pub(crate) is_suspicious: bool,
    /// Destinations in memory.
    pub(crate) memory: Arc<BTreeSet<u32>>,
    /// Whether frames that are lost may have held messages: positions in later frames are not those that they speak of.
    pub(crate) is_shifted: bool,
}

impl State {
    /// An empty state over segments of this size.
    pub(crate) fn new(segment: u64) -> Self {
        Self {
            live: Live::new(segment),
            next_destination: 1,
            next_member: 1,
            ..Self::default()
        }
    }

    /// What publishers need of the destination.
    pub(crate) fn route(&self, name: &str) -> Option<Arc<Route>> {
        let id = self.names.get(name)?;
        Some(self.destinations.get(id)?.route.clone())
    }

    /// The destination of this name.
    pub(crate) fn destination(&self, name: &str) -> Option<(u32, &Destination)> {
        let id = *self.names.get(name)?;
        Some((id, self.destinations.get(&id)?))
    }

    /// The number of the next destination; each is used once.
    pub(crate) fn next_destination(&mut self) -> u32 {
        let next = self.next_destination.max(self.reserved);
        self.reserved = next.saturating_add(1);
        next
    }

    /// The first segment in which messages are kept, and which is not among these.
    pub(crate) fn missing(&self, segments: &[u64]) -> Option<u64> {
        self.live.find(|segment| !segments.contains(&segment))
    }

    /// How many messages a snapshot has to look at one by one.
    pub(crate) fn laid_out(&self) -> u64 {
        let logs = self.destinations.values().flat_map(|found| &found.logs);
        logs.map(|log| log.entries.open()).sum()
    }

    /// Ends every consumer.
    pub(crate) fn end_all(&mut self) {
        for (_, member) in &mut self.members {
            member.ended = Some(Ended::Closed);
            member.wake();
        }
        for destination in self.destinations.values() {
            destination.route.load.room.notify_waiters();
        }
    }

    /// Tells consumers that there may be something for them.
    pub(crate) fn wake(&mut self) {
        while let Some(id) = self.touched.pop_first() {
            let Some(destination) = self.destinations.get(&id) else {
                continue;
            };
            for group in destination.groups.values() {
                for member in &group.members {
                    if let Some(member) = self.members.get_mut(*member) {
                        member.wake();
                    }
                }
            }
            destination.route.load.room.notify_waiters();
        }
    }
}
