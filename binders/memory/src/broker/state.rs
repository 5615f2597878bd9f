//! Everything that the broker knows.

use std::{collections::HashMap, sync::Arc};

use slab::Slab;

use super::{
    destination::Destination,
    member::{Member, MemberKey},
};
use crate::options::Options;

/// Everything that the broker knows.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(super) destinations: Slab<Destination>,
    names: HashMap<Arc<str>, usize>,
    pub(super) members: Slab<Member>,
    pub(super) last_member: u32,
    /// Every assignment of a partition has a number of its own: a consumer uses the numbers of its lanes again, and a late settlement of one
    /// partition must not count for another.
    pub(super) last_assignment: u32,
}

impl State {
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// The destination of this name; made with the default number of partitions if there is none.
    #[inline]
    pub(crate) fn find_or_create(&mut self, name: &Arc<str>, options: &Options) -> usize {
        match self.find(name) {
            Some(index) => index,
            None => self.create(name, options.partitions),
        }
    }

    pub(super) fn create(&mut self, name: &Arc<str>, partitions: u32) -> usize {
        let index = self
            .destinations
            .insert(Destination::new(name.clone(), partitions));
        self.names.insert(name.clone(), index);
        index
    }

    /// Removes a destination that nobody reads any more.
    pub(super) fn remove(&mut self, index: usize) -> Destination {
        let destination = self.destinations.remove(index);
        self.names.remove(&destination.name);
        destination
    }

    /// The consumer, unless it has left.
    pub(super) fn member(&mut self, key: MemberKey) -> Option<&mut Member> {
        self.members
            .get_mut(key.index)
            .filter(|member| member.number == key.number)
    }
}
