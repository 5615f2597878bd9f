//! One partition as a group shares it among its consumers: who has which message, and what comes next.

use std::{
    collections::{BTreeSet, HashMap},
    time::SystemTime,
};

use mq_core::binder::Positions;
use tokio::time::Instant;

use super::{
    keys::{Keys, Turn},
    log::Log,
    slot::{Place, Slot},
};

/// A group's view of one partition.
///
/// Messages from [`next`](Self::next) on are untouched; below it, every message without a slot is settled.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(super) slots: Positions<Slot>,
    /// By rank and position: what is in line to be handed out again.
    pub(super) ready: BTreeSet<(u8, u64)>,
    /// By time: what waits for it.
    pub(super) delayed: BTreeSet<(Instant, u64)>,
    /// Holds that were recorded.
    pub(super) holds: HashMap<u64, SystemTime>,
    pub(super) keys: Keys,
}

/// Times of lost messages that are tolerated beyond twice the number of slots.
const SLACK: usize = 1_024;

/// The message is not with this consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotYours;

impl Queue {
    /// A group that begins at `position`.
    pub(crate) fn starting_at(position: u64) -> Self {
        let mut queue = Self::default();
        queue.slots.skip_to(position);
        queue
    }

    /// The first position that was never handed out.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.slots.end()
    }

    /// Messages that are not settled.
    pub(crate) fn lag(&self, log: &Log) -> u64 {
        let untouched = log.end() - self.next().max(log.start());
        self.slots.len() as u64 + untouched
    }

    /// When the oldest message that is not settled was stored.
    pub(crate) fn oldest(&self, log: &Log) -> Option<u64> {
        let mut begun = self
            .slots
            .iter()
            .filter_map(|(position, _)| log.get(position));
        let mut untouched = log.iter_from(self.next()).map(|(_, entry)| entry);
        let oldest = begun.next().or_else(|| untouched.next())?;
        Some(oldest.stored)
    }

    /// When something becomes due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.delayed.first().map(|(due, _)| *due)
    }

    /// Puts in line what has become due; returns whether there was something.
    pub(crate) fn wake(&mut self, now: Instant) -> bool {
        let mut woken = false;
        while let Some((due, position)) =
            self.delayed.first().copied().filter(|(due, _)| *due <= now)
        {
            self.delayed.remove(&(due, position));
            self.line_up(position);
            woken = true;
        }
        woken
    }

    pub(super) fn line_up(&mut self, position: u64) {
        if let Some(slot) = self.slots.get_mut(position) {
            slot.place = Place::Ready;
            self.ready.insert((slot.rank, position));
        }
    }

    /// Asks for the turn of a message among those of its key.
    #[inline]
    pub(super) fn has_turn(&mut self, key: u64, position: u64) -> bool {
        let Turn::Behind(before) = self.keys.enter(key, position) else {
            return true;
        };
        if let Some(slot) = self.slots.get_mut(before) {
            slot.next = position;
        }
        if let Some(slot) = self.slots.get_mut(position) {
            slot.before = before;
        }
        false
    }
}

/// What consumers say of messages that they have.
impl Queue {
    /// The message is done with; returns whether another one has become ready.
    ///
    /// [`tidy`](Self::tidy) has to follow some time.
    #[inline]
    pub(crate) fn settle(&mut self, position: u64, owner: u32) -> Result<bool, NotYours> {
        if self
            .slots
            .clear_if(position, |slot| slot.is_plainly_out_with(owner))
        {
            return Ok(false);
        }
        self.settle_in_line(position, owner)
    }

    /// The same for a settlement that may be of an older assignment.
    #[inline]
    pub(super) fn settle_as(
        &mut self,
        position: u64,
        owner: u32,
        is_current: bool,
    ) -> Result<bool, NotYours> {
        if is_current {
            self.settle(position, owner)
        } else {
            Err(NotYours)
        }
    }

    /// The same where others depend on the message.
    fn settle_in_line(&mut self, position: u64, owner: u32) -> Result<bool, NotYours> {
        let slot = *self.out_with(position, owner)?;
        self.slots.clear(position);
        Ok(self.done(position, &slot))
    }

    /// Gives back the storage of what was settled.
    #[inline]
    pub(crate) fn tidy(&mut self) {
        self.slots.tidy();
    }

    /// Whether the group is done with this message.
    #[inline]
    pub(crate) fn is_settled(&self, position: u64) -> bool {
        position < self.next() && self.slots.get(position).is_none()
    }

    /// A slot has left the map; returns whether another message has become ready.
    pub(super) fn done(&mut self, position: u64, slot: &Slot) -> bool {
        if slot.is_held {
            self.holds.remove(&position);
        }
        if slot.key == 0 {
            return false;
        }
        self.keys.pass(slot.key, position, slot.waiting_behind());
        if let Some(next) = slot.waiting_behind() {
            self.line_up(next);
        }
        slot.waiting_behind().is_some()
    }

    /// The consumer that has the message, checked.
    pub(super) fn out_with(&mut self, position: u64, owner: u32) -> Result<&mut Slot, NotYours> {
        let slot = self.slots.get_mut(position);
        slot.filter(|slot| slot.is_out_with(owner)).ok_or(NotYours)
    }

    /// The message itself is gone, whatever the group thinks of it; if a consumer has it, it may still settle it.
    pub(crate) fn lose(&mut self, position: u64) {
        let Some(slot) = self.slots.get(position).copied() else {
            return;
        };
        match slot.place {
            Place::Out => {}
            Place::Ready => {
                self.ready.remove(&(slot.rank, position));
                self.drop_slot(position);
            }
            Place::Delayed => {
                self.drop_slot(position);
                self.forget_times();
            }
            Place::Parked => {
                self.step_out(position, &slot);
                self.slots.clear(position);
                self.slots.tidy();
            }
        }
    }

    /// A waiting message leaves the line of its key.
    fn step_out(&mut self, position: u64, slot: &Slot) {
        if let Some(before) = self.slots.get_mut(slot.before) {
            before.next = slot.next;
        }
        match slot.waiting_behind() {
            Some(next) => {
                if let Some(next) = self.slots.get_mut(next) {
                    next.before = slot.before;
                }
            }
            None => self.keys.shorten(slot.key, position, slot.before),
        }
    }

    /// Forgets times of messages that are gone, as soon as they are more than the others.
    fn forget_times(&mut self) {
        if self.delayed.len() > 2 * self.slots.len() + SLACK {
            let slots = &self.slots;
            self.delayed
                .retain(|(_, position)| slots.get(*position).is_some());
        }
    }

    /// Gives the message back, to be handed out again at `due` or at once.
    pub(crate) fn release(
        &mut self,
        position: u64,
        owner: u32,
        attempts: u32,
        due: Option<Instant>,
    ) -> Result<(), NotYours> {
        let slot = self.out_with(position, owner)?;
        slot.attempts = attempts;
        if slot.is_held {
            slot.hold(false);
            self.holds.remove(&position);
        }
        match due {
            None => self.line_up(position),
            Some(due) => {
                self.out_with(position, owner)?.place = Place::Delayed;
                self.delayed.insert((due, position));
            }
        }
        Ok(())
    }

    /// Records that the consumer keeps the message until `due`.
    pub(crate) fn hold(
        &mut self,
        position: u64,
        owner: u32,
        attempts: u32,
        due: SystemTime,
    ) -> Result<(), NotYours> {
        let slot = self.out_with(position, owner)?;
        slot.attempts = attempts;
        slot.hold(true);
        self.holds.insert(position, due);
        Ok(())
    }

    /// Puts in line everything that this consumer has.
    pub(crate) fn give_back(&mut self, owner: u32, log: &Log) {
        let out = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.is_out_with(owner));
        let positions: Vec<u64> = out.map(|(position, _)| position).collect();
        for position in positions {
            if log.get(position).is_some() {
                self.line_up(position);
            } else {
                self.drop_slot(position);
            }
        }
    }

    /// How many messages this consumer has.
    pub(super) fn count_out_with(&self, owner: u32) -> usize {
        self.slots
            .iter()
            .filter(|(_, slot)| slot.is_out_with(owner))
            .count()
    }

    /// The group is done with a message, or the message is gone.
    pub(super) fn drop_slot(&mut self, position: u64) {
        let Some(slot) = self.slots.get(position).copied() else {
            return;
        };
        self.slots.clear(position);
        self.slots.tidy();
        self.done(position, &slot);
    }
}
