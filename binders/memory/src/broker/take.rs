//! Handing messages out.

use mq_core::{
    binder::{LaneId, Record},
    clock::Clock,
};

use super::{
    later,
    log::{Entry, Log},
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
    /// Messages that the group does not want: they are settled.
    pub(crate) passed: Vec<u64>,
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
    pub(super) fn hand(&mut self, entry: &Entry, position: u64) {
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
        self.room -= 1;
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
    !entry.is(Entry::HANDLED) && filter.is_none_or(|filter| filter.accepts(&entry.message))
}

type Holds = std::collections::HashMap<u64, std::time::SystemTime>;

impl Queue {
    /// Hands out what there is room for: first what comes again, then what is new.
    ///
    /// What the filter does not want is settled by being passed over.
    pub(crate) fn take(
        &mut self,
        log: &Log,
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
            self.take_again(position, log, filter, taker);
        }
        self.take_new(log, filter, taker)
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
        if position > self.next() {
            self.slots.skip_to(position);
        }
    }

    fn take_again(
        &mut self,
        position: u64,
        log: &Log,
        filter: Option<&Filter>,
        taker: &mut Taker<'_>,
    ) {
        let Some(slot) = self.slots.get(position).copied() else {
            return;
        };
        let Some(entry) = log.get(position) else {
            return self.drop_slot(position);
        };
        if !is_wanted(entry, filter) {
            taker.passed.push(position);
            return self.drop_slot(position);
        }
        if slot.key != 0 && !self.has_turn(slot.key, position) {
            return self.set_place(position, Place::Parked);
        }
        let Some(slot) = self.slots.get_mut(position) else {
            return;
        };
        slot.hand_to(taker.owner);
        taker.hand_again(entry, position, slot, &self.holds);
    }

    fn set_place(&mut self, position: u64, place: Place) {
        if let Some(slot) = self.slots.get_mut(position) {
            slot.place = place;
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

    fn take_new(&mut self, log: &Log, filter: Option<&Filter>, taker: &mut Taker<'_>) -> Look {
        let mut glance = GLANCE;
        while taker.room > 0 && self.next() < log.end() {
            if glance == 0 {
                return Look::Unfinished;
            }
            let looked = if filter.is_none() {
                self.hand_run(log, taker)
            } else {
                0
            };
            let looked = if looked > 0 {
                looked
            } else {
                self.look_run(log, filter, taker, glance)
            };
            glance = glance.saturating_sub(looked);
        }
        Look::Done
    }

    /// Hands out a run of messages that need no closer look; returns how many.
    #[inline]
    fn hand_run(&mut self, log: &Log, taker: &mut Taker<'_>) -> usize {
        let start = self.next();
        let Some(entries) = log.dense_from(start) else {
            return 0;
        };
        let room = taker.room.min(GLANCE);
        taker.records.reserve(room);
        let mut position = start;
        for entry in entries.take(room) {
            let Some(entry) = entry.filter(|entry| entry.is_plain()) else {
                break;
            };
            taker.hand(entry, position);
            position += 1;
        }
        let handed = usize::try_from(position - start).unwrap_or(room);
        taker.room -= handed;
        self.slots.push_many(Slot::out(0, 0, taker.owner), handed);
        handed
    }

    /// Looks at messages one by one until one of them needs no closer look; returns how many.
    fn look_run(
        &mut self,
        log: &Log,
        filter: Option<&Filter>,
        taker: &mut Taker<'_>,
        glance: usize,
    ) -> usize {
        let Some(entries) = log.dense_from(self.next()) else {
            self.look_at_straggler(log, filter, taker);
            return 1;
        };
        let mut looked = 0;
        for entry in entries.take(glance) {
            match entry {
                Some(entry) if entry.is_plain() && filter.is_none() => break,
                Some(entry) => self.look(entry, self.next(), filter, taker),
                None => self.pass_missing(self.next() + 1),
            }
            looked += 1;
            if taker.room == 0 {
                break;
            }
        }
        looked
    }

    /// The same for what lies before the dense part of the log.
    fn look_at_straggler(&mut self, log: &Log, filter: Option<&Filter>, taker: &mut Taker<'_>) {
        match log.iter_from(self.next()).next() {
            Some((position, entry)) => {
                self.pass_missing(position);
                self.look(entry, position, filter, taker);
            }
            None => self.pass_missing(log.end()),
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
    ) {
        if !is_wanted(entry, filter) {
            taker.passed.push(position);
            return self.slots.skip_to(position + 1);
        }
        self.slots
            .push(Slot::new(entry.key, entry.priority, Place::Parked));
        if entry.is(Entry::SCHEDULED) && self.is_scheduled(entry, position, taker.clock) {
            return;
        }
        if entry.key == 0 || self.has_turn(entry.key, position) {
            if let Some(slot) = self.slots.get_mut(position) {
                slot.hand_to(taker.owner);
            }
            taker.room -= 1;
            taker.hand(entry, position);
        }
    }
}
