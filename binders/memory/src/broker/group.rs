//! A group of a destination.

use std::sync::Arc;

use slab::Slab;
use tokio::time::Instant;

use super::{
    log::Log,
    member::Member,
    number,
    queue::Queue,
    track::{Holder, Track},
};
use crate::filter::Filter;

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    /// `None` is anonymous.
    pub(super) name: Option<Arc<str>>,
    /// Its consumers, in the order in which they joined.
    pub(super) members: Vec<usize>,
    pub(super) reading: Reading,
    pub(super) filter: Option<Filter>,
    /// Where the destination ended when the group was provisioned, until somebody subscribes.
    pub(super) founded: Option<Vec<u64>>,
    /// When the first partition is taken from a consumer that was to give it up.
    pub(super) expiry: Option<Instant>,
}

/// How a group reads, partition by partition.
#[derive(Debug)]
pub(super) enum Reading {
    /// Each message by itself, shared among the consumers.
    Shared(Vec<Queue>),
    /// By position, each partition by one consumer.
    Assigned(Vec<Track>),
}

impl Reading {
    pub(super) fn tracks(&mut self) -> Option<&mut Vec<Track>> {
        match self {
            Self::Shared(_) => None,
            Self::Assigned(tracks) => Some(tracks),
        }
    }

    pub(super) fn queues(&mut self) -> Option<&mut Vec<Queue>> {
        match self {
            Self::Shared(queues) => Some(queues),
            Self::Assigned(_) => None,
        }
    }
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

    /// Whether the group is done with a message.
    #[inline]
    pub(super) fn is_settled(&self, partition: usize, position: u64) -> bool {
        match &self.reading {
            Reading::Shared(queues) => queues[partition].is_settled(position),
            Reading::Assigned(tracks) => position < tracks[partition].committed,
        }
    }

    /// A message is gone, whatever the group thinks of it.
    pub(super) fn lose(&mut self, partition: usize, position: u64) {
        if let Reading::Shared(queues) = &mut self.reading {
            queues[partition].lose(position);
        }
    }

    /// Takes from a consumer what it has.
    pub(super) fn give_back(&mut self, member: usize, logs: &[Log]) {
        match &mut self.reading {
            Reading::Shared(queues) => {
                queues
                    .iter_mut()
                    .zip(logs)
                    .for_each(|(queue, log)| queue.give_back(number(member), log));
            }
            Reading::Assigned(tracks) => {
                for track in tracks
                    .iter_mut()
                    .filter(|track| track.holder.member() == Some(member))
                {
                    track.holder = Holder::Nobody;
                }
            }
        }
    }

    /// Messages that are not settled.
    pub(super) fn lag(&self, logs: &[Log]) -> u64 {
        match &self.reading {
            Reading::Shared(queues) => queues
                .iter()
                .zip(logs)
                .map(|(queue, log)| queue.lag(log))
                .sum(),
            Reading::Assigned(tracks) => tracks
                .iter()
                .zip(logs)
                .map(|(track, log)| track.lag(log))
                .sum(),
        }
    }

    /// When the oldest of them was stored.
    pub(super) fn oldest(&self, logs: &[Log]) -> Option<u64> {
        match &self.reading {
            Reading::Shared(queues) => queues
                .iter()
                .zip(logs)
                .filter_map(|(queue, log)| queue.oldest(log))
                .min(),
            Reading::Assigned(tracks) => tracks
                .iter()
                .zip(logs)
                .filter_map(|(track, log)| track.oldest(log))
                .min(),
        }
    }
}
