//! A group of a destination.

use std::sync::Arc;

use slab::Slab;

use super::{member::Member, queue::Queue};
use crate::filter::Filter;

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    /// `None` is anonymous.
    pub(crate) name: Option<Arc<str>>,
    /// Its consumers, in the order in which they joined.
    pub(crate) members: Vec<usize>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) filter: Option<Filter>,
    /// Where the destination ended when the group was provisioned, until somebody subscribes.
    pub(crate) founded: Option<Vec<u64>>,
}

impl Group {
    /// Wakes its waiting consumers.
    pub(super) fn wake(&self, members: &mut Slab<Member>) {
        for index in &self.members {
            if let Some(member) = members.get_mut(*index) {
                member.wake();
            }
        }
    }
}
