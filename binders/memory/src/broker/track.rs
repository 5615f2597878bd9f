//! One partition as a group reads it by position: who reads it, and up to where it is done with.

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    log::{Entry, Log},
    take::Taker,
};

/// A group's view of one partition that is settled by position.
#[derive(Debug, Default)]
pub(crate) struct Track {
    /// Everything below is done with.
    pub(super) committed: u64,
    /// What was saved beside that position.
    pub(super) saved: Option<Bytes>,
    /// The number of its assignment.
    pub(super) epoch: u32,
    pub(super) holder: Holder,
}

/// Who has a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Holder {
    #[default]
    Nobody,
    /// This consumer reads on at `next`.
    Reader { member: usize, next: u64 },
    /// This consumer is to give it up, and loses it then.
    Leaver { member: usize, until: Instant },
}

impl Holder {
    pub(super) fn member(self) -> Option<usize> {
        match self {
            Self::Nobody => None,
            Self::Reader { member, .. } | Self::Leaver { member, .. } => Some(member),
        }
    }
}

impl Track {
    pub(crate) fn starting_at(position: u64) -> Self {
        Self {
            committed: position,
            ..Self::default()
        }
    }

    /// Messages that are not done with.
    pub(crate) fn lag(&self, log: &Log) -> u64 {
        log.end() - self.committed.max(log.start())
    }

    /// When the oldest of them was stored.
    pub(crate) fn oldest(&self, log: &Log) -> Option<u64> {
        log.iter_from(self.committed)
            .next()
            .map(|(_, entry)| entry.stored)
    }

    /// Gives the partition to a consumer, in the assignment of this number.
    pub(super) fn assign(&mut self, member: usize, epoch: u32) {
        self.epoch = epoch;
        self.holder = Holder::Reader {
            member,
            next: self.committed,
        };
    }

    /// Whether this consumer has it under this number.
    pub(super) fn is_held_by(&self, member: usize, epoch: u32) -> bool {
        self.epoch == epoch && self.holder.member() == Some(member)
    }

    /// Hands out what there is room for.
    pub(super) fn read(&mut self, log: &Log, taker: &mut Taker<'_>) {
        let Holder::Reader { next, .. } = &mut self.holder else {
            return;
        };
        for (position, entry) in log.iter_from(*next) {
            if taker.room == 0 {
                return;
            }
            *next = position + 1;
            if !entry.is(Entry::HANDLED) {
                taker.room -= 1;
                taker.hand(entry, position);
            }
        }
        *next = log.end().max(*next);
    }
}
