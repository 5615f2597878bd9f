//! Handing messages out.

use mq_core::{
    binder::{LaneId, Record},
    clock::Clock,
};

use super::{
    later,
    log::{Entry, Log, Usage},
    queue::Queue,
    slot::{Place, Slot},
};
use crate::filter::Filter;

/// Positions that are looked at in one go, so that a long line of messages of one key delays nobody.
const GLANCE: usize = 8_192;

/// Who wants messages, and how many.
#[derive(Debug)]
pub(crate) struct Taker<'a> {
    pub(crate) records: &'a mut Vec<Record>,
    /// How many more it may have.
    pub(crate) room: usize,
    pub(crate) owner: u32,
    pub(crate) lane: LaneId,
    pub(crate) epoch: u32,
    pub(crate) counts: bool,
    pub(crate) clock: Clock,
}

/// Whether there may be more than was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The end was reached, or there is no more room.
    Done,
    /// Only so many messages are looked at at a time.
    Unfinished,
}

impl Taker<'_> {
    #[inline]
    fn hand(&mut self, entry: &Entry, position: u64) {
        self.room -= 1;
        self.records.push(Record {
            message: entry.message.clone(),
            lane: self.lane,
            position,
            epoch: self.epoch,
            attempts: 0,
            deliveries: if self.counts { Some(1) } else { None },
            due: None,
        });
    }

    fn hand_again(&mut self, entry: &Entry, position: u64, slot: &Slot, queue: &Holds) {
        self.hand(entry, position);
        let Some(record) = self.records.last_mut() else {
            return;
        };
        record.attempts = slot.attempts;
        record.deliveries = self.counts.then_some(slot.deliveries);
        record.due = if slot.is_held {
            queue.get(&position).copied()
        } else {
            None
        };
    }
}

/// Whether the group wants this message at all.
fn is_wanted(entry: &Entry, filter: Option<&Filter>) -> bool {
    !entry.is_handled && filter.is_none_or(|filter| filter.accepts(&entry.message))
}

type Holds = std::collections::HashMap<u64, std::time::SystemTime>;

/// What the look at an untouched message came to.
enum Found {
    /// It was handed out, or will be later.
    Begun,
    /// The group does not want it.
    Unwanted,
}

impl Queue {
    /// Hands out what there is room for: first what comes again, then what is new.
    pub(crate) fn take(
        &mut self,
        log: &mut Log,
        usage: &mut Usage,
        filter: Option<&Filter>,
        taker: &mut Taker<'_>,
    ) -> Look {
        if !self.delayed.is_empty() {
            self.wake(taker.clock.now());
        }
        if log.has_priority_from(self.next()) {
            self.take_up_all(log, taker.clock);
        }
        while taker.room > 0 {
            let Some((_, position)) = self.ready.pop_first() else {
                break;
            };
            self.take_again(position, log, usage, filter, taker);
        }
        self.take_new(log, usage, filter, taker)
    }

    /// Puts everything untouched in line, where priorities decide about the order.
    fn take_up_all(&mut self, log: &Log, clock: Clock) {
        let from = self.next();
        for (position, entry) in log.iter_from(from) {
            self.pass_missing(position);
            self.slots
                .push(Slot::new(entry.key, entry.priority, Place::Ready));
            if !self.is_scheduled(entry, position, clock) {
                self.line_up(position);
            }
        }
    }

    /// Everything between `next` and `position` is gone.
    fn pass_missing(&mut self, position: u64) {
        let missing = position - self.next();
        if missing > 0 {
            self.missing = self.missing.saturating_sub(missing);
            self.slots.skip_to(position);
        }
    }

    fn take_again(
        &mut self,
        position: u64,
        log: &mut Log,
        usage: &mut Usage,
        filter: Option<&Filter>,
        taker: &mut Taker<'_>,
    ) {
        let Some(slot) = self.slots.get(position).copied() else {
            return;
        };
        let Some(entry) = log.get(position) else {
            self.missing = self.missing.saturating_sub(1);
            return self.drop_slot(position);
        };
        if !is_wanted(entry, filter) {
            log.settle(position, usage);
            return self.drop_slot(position);
        }
        if slot.key != 0 && !self.has_turn(slot.key, position) {
            return self.set_place(position, Place::Parked);
        }
        let Some(slot) = self.slots.get_mut(position) else {
            return;
        };
        slot.place = Place::Out;
        slot.owner = taker.owner;
        slot.deliveries = slot.deliveries.saturating_add(1);
        taker.hand_again(entry, position, slot, &self.holds);
    }

    fn set_place(&mut self, position: u64, place: Place) {
        if let Some(slot) = self.slots.get_mut(position) {
            slot.place = place;
        }
    }

    fn drop_slot(&mut self, position: u64) {
        if let Some(slot) = self.slots.remove(position) {
            self.done(position, &slot);
        }
    }

    /// Whether the message, which has a slot, waits for its time; then it is noted for it.
    pub(super) fn is_scheduled(&mut self, entry: &Entry, position: u64, clock: Clock) -> bool {
        let Some(due) = entry.message.properties().deliver_at else {
            return false;
        };
        let wait = clock.until(due);
        if wait.is_zero() {
            return false;
        }
        self.set_place(position, Place::Delayed);
        self.delayed.insert((later(clock.now(), wait), position));
        true
    }

    fn take_new(
        &mut self,
        log: &mut Log,
        usage: &mut Usage,
        filter: Option<&Filter>,
        taker: &mut Taker<'_>,
    ) -> Look {
        let mut glance = GLANCE;
        while taker.room > 0 && self.next() < log.end() {
            if glance == 0 {
                return Look::Unfinished;
            }
            if let Some(unwanted) = self.run(log, filter, taker, &mut glance) {
                log.settle(unwanted, usage);
            }
        }
        Look::Done
    }

    /// Hands out a run of messages; returns the position of the first that the group does not want.
    fn run(
        &mut self,
        log: &Log,
        filter: Option<&Filter>,
        taker: &mut Taker<'_>,
        glance: &mut usize,
    ) -> Option<u64> {
        let Some(entries) = log.dense_from(self.next()) else {
            *glance -= 1;
            return self.one(log, filter, taker);
        };
        for entry in entries.take(*glance) {
            if taker.room == 0 {
                break;
            }
            *glance -= 1;
            let position = self.next();
            let Some(entry) = entry else {
                self.pass_missing(position + 1);
                continue;
            };
            if entry.is_plain() && filter.is_none() {
                taker.hand(entry, position);
                self.slots.push(Slot::out(0, entry.priority, taker.owner));
            } else if let Found::Unwanted = self.look(entry, position, filter, taker) {
                return Some(position);
            }
        }
        None
    }

    /// The same for a single straggler.
    fn one(&mut self, log: &Log, filter: Option<&Filter>, taker: &mut Taker<'_>) -> Option<u64> {
        let Some((position, entry)) = log.iter_from(self.next()).next() else {
            self.pass_missing(log.end());
            return None;
        };
        self.pass_missing(position);
        match self.look(entry, position, filter, taker) {
            Found::Unwanted => Some(position),
            Found::Begun => None,
        }
    }

    /// Hands out a message unless its key, its time or the filter is against it.
    #[inline]
    fn look(
        &mut self,
        entry: &Entry,
        position: u64,
        filter: Option<&Filter>,
        taker: &mut Taker<'_>,
    ) -> Found {
        if !is_wanted(entry, filter) {
            self.slots.skip_to(position + 1);
            return Found::Unwanted;
        }
        self.slots
            .push(Slot::out(entry.key, entry.priority, taker.owner));
        if entry.is_special && self.is_scheduled(entry, position, taker.clock) {
            if let Some(slot) = self.slots.get_mut(position) {
                slot.deliveries = 0;
            }
        } else if entry.key != 0 && !self.has_turn(entry.key, position) {
            if let Some(slot) = self.slots.get_mut(position) {
                slot.place = Place::Parked;
                slot.deliveries = 0;
            }
        } else {
            taker.hand(entry, position);
        }
        Found::Begun
    }
}
