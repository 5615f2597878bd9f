//! One partition as a group shares it among its consumers: who has which message, and what comes next.

mod cursor;
mod hand_out;
mod slot;

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
};

use mq_core::binder::Positions;

use super::{
    keys::Keys,
    log::{Entry, Log},
};
use crate::options::GroupMode;
pub(super) use cursor::Cursor;
pub(super) use hand_out::Taker;
pub(super) use slot::{Extra, Place, Slot};
pub(crate) use slot::{NotYours, Note, Pick};

/// A group's view of a partition.
///
/// Below [`next`](Self::next), every message without a slot is settled; from there on, none is.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(super) slots: Positions<Slot>,
    /// What is in line to be handed out again.
    pub(super) ready: BTreeSet<u64>,
    /// By time: what was given back until then.
    delayed: BinaryHeap<Reverse<(u64, u64)>>,
    pub(super) notes: HashMap<u64, Note>,
    keys: Keys,
    mode: GroupMode,
    /// Of a group of mode `log`, which has nothing of the above.
    pub(super) cursor: Option<Cursor>,
    /// What consumers have begun with, where that is written down.
    pub(super) started: BTreeSet<u64>,
    /// What has a slot, and is nothing that the group still has to settle.
    gone: BTreeSet<u64>,
}

impl Lane {
    /// A group that begins at `position`.
    pub(super) fn starting_at(position: u64, mode: GroupMode) -> Self {
        let mut lane = Self {
            mode,
            cursor: (mode == GroupMode::Log).then(|| Cursor::at(position)),
            ..Self::default()
        };
        lane.slots.skip_to(position);
        lane
    }

    /// The key by which a message waits for others; 0 is none.
    #[inline]
    fn key(&self, entry: &Entry) -> u64 {
        if self.mode == GroupMode::Key {
            entry.key
        } else {
            0
        }
    }

    /// The first position that was never handed out.
    #[inline]
    pub(super) fn next(&self) -> u64 {
        self.slots.end()
    }

    #[inline]
    pub(super) fn is_settled(&self, position: u64) -> bool {
        if let Some(cursor) = &self.cursor {
            return position < cursor.position;
        }
        position < self.next()
            && self
                .slots
                .get(position)
                .is_none_or(|slot| slot.extra == Extra::Past)
    }

    /// The first message that is not settled, or the end.
    pub(super) fn first_open(&self, log: &Log) -> u64 {
        let mut slots = self.slots.iter().map(|(position, _)| position);
        let begun = slots.find(|position| !self.gone.contains(position));
        let next = self
            .cursor
            .as_ref()
            .map_or(self.next(), |cursor| cursor.position);
        begun.unwrap_or_else(|| log.first_open(next))
    }

    /// Messages that are not settled.
    pub(super) fn lag(&self, log: &Log) -> u64 {
        match &self.cursor {
            Some(cursor) => log.count_open(cursor.position),
            None => (self.slots.len() - self.gone.len()) as u64 + log.count_open(self.next()),
        }
    }

    /// When something becomes due.
    pub(super) fn due(&self) -> Option<u64> {
        self.delayed.peek().map(|Reverse((due, _))| *due)
    }

    /// Puts in line what has become due.
    pub(super) fn wake(&mut self, now: u64) {
        while let Some(Reverse((due, position))) = self.delayed.peek().copied() {
            if due > now {
                break;
            }
            self.delayed.pop();
            // A message that was settled or given back again since then has another time, or none.
            if self
                .notes
                .get(&position)
                .is_some_and(|note| note.due == due)
            {
                self.line_up_delayed(position);
            }
        }
    }

    /// The time of a message has come; one that was given back since then may have a later one.
    pub(super) fn fire(&mut self, position: u64, now: u64) {
        let note = self.notes.get(&position);
        if note.is_none_or(|note| note.due <= now) {
            self.line_up_delayed(position);
        }
    }

    /// Puts a message in line that waited for its time.
    fn line_up_delayed(&mut self, position: u64) {
        let slot = self.slots.get(position);
        if slot.is_some_and(|slot| slot.place == Place::Delayed) {
            self.line_up(position);
        }
    }

    pub(super) fn line_up(&mut self, position: u64) {
        let Some(slot) = self.slots.get_mut(position) else {
            return;
        };
        if slot.extra == Extra::Past {
            return self.drop_slot(position, None);
        }
        slot.place = Place::Ready;
        slot.owner = 0;
        self.ready.insert(position);
    }

    /// Forgets a message that is not handed out again, and lets the next one of its key go on.
    fn drop_slot(&mut self, position: u64, key: Option<u64>) {
        self.slots.clear(position);
        self.gone.remove(&position);
        self.started.remove(&position);
        self.notes.remove(&position);
        match key {
            Some(0) => {}
            Some(key) => drop(self.pass(key, position)),
            None => drop(self.pass_gone(position)),
        }
    }

    /// Begins with everything before `end`, without handing it out.
    pub(super) fn cover(&mut self, end: u64, log: &Log) {
        if self.next() >= end || self.cursor.is_some() {
            return;
        }
        let kept = log.entries.iter_from(self.next());
        for (position, entry) in kept.take_while(|(position, _)| *position < end) {
            if !entry.is(Entry::HANDLED) {
                self.slots.put(position, Slot::new(Place::Ready));
                self.ready.insert(position);
            }
        }
        self.slots.skip_to(end);
    }

    /// The message is settled; returns whether another one has become ready.
    #[inline]
    pub(super) fn settle(&mut self, position: u64, log: &Log) -> bool {
        let Some(slot) = self.slots.get(position).copied() else {
            return false;
        };
        self.slots.clear(position);
        if slot.place == Place::Ready {
            self.ready.remove(&position);
        }
        if slot.extra == Extra::Noted {
            self.notes.remove(&position);
        }
        if !self.gone.is_empty() {
            self.gone.remove(&position);
        }
        if !self.started.is_empty() {
            self.started.remove(&position);
        }
        match log.get(position).map(|entry| self.key(entry)) {
            Some(0) => false,
            Some(key) => self.pass(key, position),
            None => self.pass_gone(position),
        }
    }

    /// As [`pass`](Self::pass), for a message that was removed while a consumer had it.
    fn pass_gone(&mut self, position: u64) -> bool {
        let slots = &self.slots;
        let waits = |next| matches!(slots.get(next), Some(slot) if slot.place == Place::Parked);
        let next = self.keys.pass_gone(position, waits);
        if let Some(next) = next {
            self.line_up(next);
        }
        next.is_some()
    }

    /// Ends the turn of a message in the line of its key; returns whether another one has become ready.
    pub(super) fn pass(&mut self, key: u64, position: u64) -> bool {
        let slots = &self.slots;
        let waits = |next| matches!(slots.get(next), Some(slot) if slot.place == Place::Parked);
        let next = self.keys.pass(key, position, waits);
        if let Some(next) = next {
            self.line_up(next);
        }
        next.is_some()
    }

    /// Whether the group has still to settle the message, and no consumer has it.
    pub(super) fn wants(&self, position: u64) -> bool {
        let place = self.slots.get(position).map(|slot| slot.place);
        !self.is_settled(position) && !matches!(place, Some(Place::Out | Place::Settling))
    }

    /// A consumer begins with these messages.
    pub(super) fn start(&mut self, run: std::ops::Range<u64>, log: &Log) {
        self.cover(run.end, log);
        for position in run {
            if self.slots.get(position).is_some() {
                self.started.insert(position);
            }
        }
    }

    /// The process that had begun with messages has ended.
    pub(super) fn end_process(&mut self, crashed: bool) {
        for position in std::mem::take(&mut self.started) {
            if crashed {
                let note = self.notes.get(&position).copied().unwrap_or_default();
                let crashes = note.crashes.saturating_add(1);
                self.note(position, Note { crashes, ..note });
            }
        }
    }

    /// Processes that have ended while they had the message.
    pub(super) fn crashes(&self, position: u64) -> u32 {
        self.notes.get(&position).map_or(0, |note| note.crashes)
    }

    /// Writes down what is known of a message.
    pub(super) fn note(&mut self, position: u64, note: Note) {
        if let Some(slot) = self
            .slots
            .get_mut(position)
            .filter(|slot| slot.extra != Extra::Past)
        {
            slot.extra = Extra::Noted;
            self.notes.insert(position, note);
        }
    }

    /// A consumer keeps a message for a while.
    pub(super) fn hold(&mut self, position: u64, note: Note) {
        let slot = self.slots.get(position);
        if slot.is_some_and(|slot| slot.place == Place::Delayed) {
            // In a recovery nobody was there to get it when its time had come.
            self.line_up(position);
        }
        self.note(position, note);
    }

    /// Gives a message back, to be handed out again when the note says.
    pub(super) fn release(&mut self, position: u64, note: Note, log: &Log) {
        let Some(slot) = self.slots.get_mut(position) else {
            return;
        };
        self.started.remove(&position);
        let entry = log.get(position);
        let is_wanted = entry.is_some_and(|entry| !entry.is(Entry::HANDLED));
        if slot.extra == Extra::Past || !is_wanted {
            return self.drop_slot(position, None);
        }
        if self.mode == GroupMode::Key
            && note.due != 0
            && let Some(entry) = entry.filter(|entry| entry.key != 0)
        {
            // After a restart, messages of its key wait behind it as before.
            self.keys.enter(entry.key, position);
        }
        let deliveries = u16::try_from(note.deliveries).unwrap_or(u16::MAX);
        slot.deliveries = slot.deliveries.max(deliveries);
        if note.due == 0 {
            self.line_up(position);
        } else {
            slot.place = Place::Delayed;
            slot.owner = 0;
            self.ready.remove(&position);
            self.delayed.push(Reverse((note.due, position)));
        }
        self.note(position, note);
    }

    /// Puts in line everything that this consumer has; returns how many messages that are.
    pub(super) fn give_back(&mut self, owner: u32) -> usize {
        let out = self.slots.iter();
        let out = out.filter(|(_, slot)| slot.owner == owner && slot.place == Place::Out);
        let positions: Vec<u64> = out.map(|(position, _)| position).collect();
        for position in &positions {
            self.line_up(*position);
        }
        positions.len()
    }

    /// The slot of a message that this consumer has.
    #[inline]
    pub(super) fn out_with(&mut self, position: u64, owner: u32) -> Result<&mut Slot, NotYours> {
        let slot = self.slots.get_mut(position);
        slot.filter(|slot| slot.owner == owner && slot.place == Place::Out)
            .ok_or(NotYours)
    }

    /// The message is gone; if a consumer has it, it may still settle it.
    pub(super) fn lose(&mut self, position: u64, key: u64) {
        let place = self.slots.get(position).map(|slot| slot.place);
        if matches!(place, Some(Place::Out | Place::Settling)) {
            self.gone.insert(position);
        } else if place.is_some() {
            self.ready.remove(&position);
            self.notes.remove(&position);
            self.slots.clear(position);
            if key != 0 && self.mode == GroupMode::Key {
                self.pass(key, position);
            }
        }
    }

    /// Reads on from `position`; what consumers have stays with them.
    pub(super) fn seek(&mut self, position: u64, log: &Log) {
        if let Some(cursor) = &mut self.cursor {
            cursor.seek(position);
            return self.rewind(position);
        }
        let out = self.slots.iter();
        let out = out.filter(|(_, slot)| matches!(slot.place, Place::Out | Place::Settling));
        let out: Vec<(u64, Slot)> = out.map(|(position, slot)| (position, *slot)).collect();
        *self = Self::starting_at(position, self.mode);
        let from = position;
        for (position, mut slot) in out {
            self.cover(position + 1, log);
            self.ready.remove(&position);
            // The journal does not know who has what: notes of the time before are gone after a restart, and are now.
            slot.extra = if position < from {
                Extra::Past
            } else {
                Extra::None
            };
            self.slots.insert(position, slot);
            let entry = log.get(position);
            let is_open = entry.is_some_and(|entry| !entry.is(Entry::HANDLED));
            if position < from || !is_open {
                self.gone.insert(position);
            }
            let key = entry.map_or(0, |entry| self.key(entry));
            if key != 0 {
                self.keys.enter(key, position);
            }
        }
    }

    /// Gives back the storage of what was settled.
    #[inline]
    pub(super) fn tidy(&mut self) {
        self.slots.tidy();
    }
}
