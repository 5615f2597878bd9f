//! Reading a partition as a log: a position, and nothing about single messages.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Lane, NotYours, Taker};
use crate::state::log::{Entry, Log};

/// How far a group of mode `log` is in a partition, and who reads it.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    /// Everything before it is settled.
    pub(in crate::state) position: u64,
    /// How often the group was moved: what was on its way then does not count any more.
    pub(in crate::state) moves: u32,
    /// What the last commit has left beside the position.
    pub(in crate::state) saved: Option<Bytes>,
    /// The consumer that reads it, or 0.
    pub(in crate::state) owner: u32,
    /// The consumer that is to read it when this one has settled what it has, or 0.
    pub(in crate::state) heir: u32,
    /// What the consumer has, in order.
    pub(in crate::state) handed: VecDeque<u64>,
    /// Up to here, commits are on their way into the journal; whoever reads next waits for them, also when their consumer is gone.
    begun: u64,
}

impl Cursor {
    pub(super) fn at(position: u64) -> Self {
        Self {
            position,
            ..Self::default()
        }
    }

    /// The group reads on from `position`; what consumers have is nobody's any more.
    pub(super) fn seek(&mut self, position: u64) {
        self.position = position;
        self.moves = self.moves.wrapping_add(1);
        self.saved = None;
        self.handed.clear();
        self.begun = position;
    }

    /// Whether a commit is on its way into the journal.
    pub(in crate::state) fn is_committing(&self) -> bool {
        self.begun > self.position
    }

    /// Whether the consumer may say that everything before `position` is done.
    fn is_owned(&self, owner: u32, position: u64, next: u64) -> bool {
        self.owner == owner && position >= self.position && position <= next
    }
}

impl Lane {
    /// Goes on handing out at `position`.
    pub(super) fn rewind(&mut self, position: u64) {
        self.slots = mq_core::binder::Positions::default();
        self.slots.skip_to(position);
    }

    /// Hands out messages in their order, up to one whose time has not come.
    pub(super) fn take_in_order(&mut self, log: &Log, taker: &mut Taker<'_>) {
        let Some(cursor) = &mut self.cursor else {
            return;
        };
        if cursor.owner != taker.owner || cursor.heir != 0 {
            return;
        }
        while taker.room > 0 && self.slots.end() < log.end() {
            let position = self.slots.end();
            let Some(entry) = log.get(position) else {
                self.slots.skip_to(log.first_from(position));
                continue;
            };
            if entry.is(Entry::SCHEDULED) && !entry.is(Entry::HANDLED) {
                return;
            }
            let is_wanted = !entry.is(Entry::HANDLED) && !taker.keeps_back(entry, position, log);
            if is_wanted && !taker.fits(entry) {
                return;
            }
            self.slots.skip_to(position + 1);
            if is_wanted {
                cursor.handed.push_back(position);
                taker.hand_one(entry, position, 0, None);
            }
        }
    }

    /// Whether the consumer has this message, and has not settled it.
    pub(in crate::state) fn has_handed(&self, position: u64, owner: u32) -> Result<(), NotYours> {
        let cursor = self.cursor.as_ref().filter(|cursor| cursor.owner == owner);
        let cursor = cursor.ok_or(NotYours)?;
        let found = cursor.handed.binary_search(&position);
        found.map(drop).map_err(|_| NotYours)
    }

    /// Takes everything before `position` from the consumer; returns which messages that are, and how often the group was moved.
    pub(in crate::state) fn begin_commit(
        &mut self,
        position: u64,
        owner: u32,
    ) -> Result<(Vec<u64>, u32), NotYours> {
        let next = self.next();
        let cursor = self.cursor.as_mut().ok_or(NotYours)?;
        if !cursor.is_owned(owner, position, next) {
            return Err(NotYours);
        }
        let count = cursor.handed.partition_point(|handed| *handed < position);
        let taken: Vec<u64> = cursor.handed.drain(..count).collect();
        if !taken.is_empty() {
            cursor.begun = cursor.begun.max(position);
        }
        Ok((taken, cursor.moves))
    }

    /// The journal did not take a commit: the consumer has the message again, if the partition is still its own.
    pub(in crate::state) fn undo_commit(&mut self, position: u64, owner: u32) -> bool {
        let next = self.next();
        let Some(cursor) = &mut self.cursor else {
            return false;
        };
        cursor.begun = cursor.position;
        if cursor.owner != owner || position < cursor.position || position >= next {
            return false;
        }
        match cursor.handed.binary_search(&position) {
            Ok(_) => false,
            Err(index) => {
                cursor.handed.insert(index, position);
                true
            }
        }
    }

    /// What the consumer has is nobody's any more; returns how many messages that are.
    pub(in crate::state) fn take_away(&mut self) -> usize {
        let Some(cursor) = &mut self.cursor else {
            return 0;
        };
        let count = cursor.handed.len();
        cursor.handed.clear();
        let position = cursor.position;
        self.rewind(position);
        count
    }

    /// Everything before `position` is settled, unless the group was moved since; returns what was not before.
    pub(in crate::state) fn commit(
        &mut self,
        position: u64,
        moves: u32,
        saved: Option<Bytes>,
    ) -> Option<std::ops::Range<u64>> {
        let cursor = self.cursor.as_mut()?;
        if cursor.moves != moves || position < cursor.position {
            return None;
        }
        let settled = cursor.position..position;
        cursor.position = position;
        cursor.saved = saved;
        if self.slots.end() < position {
            self.rewind(position);
        }
        Some(settled)
    }
}
