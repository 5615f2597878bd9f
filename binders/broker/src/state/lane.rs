//! One partition as a group shares it among its consumers: who has which message, and what comes next.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
};

use mq_core::binder::Positions;

use super::{
    keys::Keys,
    log::{Entry, Log},
};

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In line to be handed out again.
    Ready,
    /// Behind an earlier message of its key.
    Parked,
    /// With a consumer.
    Out,
    /// On its way to being settled: the journal has not said so yet.
    Settling,
    /// Waiting for its time.
    Delayed,
}

/// What else there is to say of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extra {
    /// Nothing.
    None,
    /// There is a [`Note`].
    Noted,
    /// The group has moved past it: it counts as settled, and is not handed out again.
    Past,
}

/// A message that the group has begun with and not settled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// The consumer that has it, while it is out.
    pub(super) owner: u32,
    pub(super) deliveries: u16,
    pub(super) place: Place,
    pub(super) extra: Extra,
}

impl Slot {
    fn new(place: Place) -> Self {
        Self {
            owner: 0,
            deliveries: 0,
            place,
            extra: Extra::None,
        }
    }

    #[inline]
    fn out(owner: u32) -> Self {
        Self {
            owner,
            deliveries: 1,
            ..Self::new(Place::Out)
        }
    }
}

/// What is recorded about a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) attempts: u32,
    pub(crate) deliveries: u32,
    /// Not to be handled before.
    pub(crate) due: u64,
    /// Whether a consumer holds it until then.
    pub(crate) is_held: bool,
}

/// The message is not with this consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotYours;

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
}

/// A message that was chosen for a consumer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick {
    pub(crate) position: u64,
    pub(crate) lsn: u64,
    pub(crate) len: u32,
    pub(crate) lane: u32,
    pub(crate) deliveries: u16,
    pub(crate) note: Option<Note>,
}

impl Pick {
    /// A message that is looked at, and not handed out.
    pub(crate) fn of(position: u64, entry: &Entry) -> Self {
        Self {
            position,
            lsn: entry.lsn.get(),
            len: entry.len,
            lane: 0,
            deliveries: 0,
            note: None,
        }
    }
}

/// Who wants messages, and how many.
#[derive(Debug)]
pub(super) struct Taker<'a> {
    pub(super) picks: &'a mut Vec<Pick>,
    /// How many more it may have.
    pub(super) room: usize,
    pub(super) owner: u32,
    pub(super) lane: u32,
    /// Nanoseconds since the Unix epoch.
    pub(super) now: u64,
}

impl Lane {
    /// A group that begins at `position`.
    pub(super) fn starting_at(position: u64) -> Self {
        let mut lane = Self::default();
        lane.slots.skip_to(position);
        lane
    }

    /// The first position that was never handed out.
    #[inline]
    pub(super) fn next(&self) -> u64 {
        self.slots.end()
    }

    #[inline]
    pub(super) fn is_settled(&self, position: u64) -> bool {
        position < self.next()
            && self
                .slots
                .get(position)
                .is_none_or(|slot| slot.extra == Extra::Past)
    }

    /// The first position that is not settled.
    pub(super) fn floor(&self) -> u64 {
        let first = self.slots.next_from(0);
        first.map_or(self.next(), |(position, _)| position)
    }

    /// Messages that are not settled.
    pub(super) fn lag(&self, log: &Log) -> u64 {
        let untouched = log.end() - self.next().max(log.first_from(0)).min(log.end());
        self.slots.len() as u64 + untouched
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
        self.notes.remove(&position);
        match key {
            Some(0) => {}
            Some(key) => drop(self.pass(key, position)),
            None => drop(self.pass_gone(position)),
        }
    }

    /// Begins with everything before `end`, without handing it out.
    pub(super) fn cover(&mut self, end: u64, log: &Log) {
        if self.next() >= end {
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
        match log.get(position) {
            Some(entry) if entry.key != 0 => self.pass(entry.key, position),
            Some(_) => false,
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
        let entry = log.get(position);
        let is_wanted = entry.is_some_and(|entry| !entry.is(Entry::HANDLED));
        if slot.extra == Extra::Past || !is_wanted {
            return self.drop_slot(position, None);
        }
        if let Some(entry) = entry.filter(|entry| entry.key != 0) {
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

    /// Puts in line everything that this consumer has.
    pub(super) fn give_back(&mut self, owner: u32) {
        let out = self.slots.iter();
        let out = out.filter(|(_, slot)| slot.owner == owner && slot.place == Place::Out);
        let positions: Vec<u64> = out.map(|(position, _)| position).collect();
        for position in positions {
            self.line_up(position);
        }
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
        if !matches!(place, None | Some(Place::Out | Place::Settling)) {
            self.ready.remove(&position);
            self.notes.remove(&position);
            self.slots.clear(position);
            if key != 0 {
                self.pass(key, position);
            }
        }
    }

    /// Reads on from `position`; what consumers have stays with them.
    pub(super) fn seek(&mut self, position: u64, log: &Log) {
        let out = self.slots.iter();
        let out = out.filter(|(_, slot)| matches!(slot.place, Place::Out | Place::Settling));
        let out: Vec<(u64, Slot)> = out.map(|(position, slot)| (position, *slot)).collect();
        *self = Self::starting_at(position);
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
            if let Some(entry) = log.get(position).filter(|entry| entry.key != 0) {
                self.keys.enter(entry.key, position);
            }
        }
    }

    /// Gives back the storage of what was settled.
    #[inline]
    pub(super) fn tidy(&mut self) {
        self.slots.tidy();
    }
}

/// Handing out.
impl Lane {
    /// Hands out what there is room for: first what comes again, then what is new.
    pub(super) fn take(&mut self, log: &Log, taker: &mut Taker<'_>) {
        if !self.delayed.is_empty() {
            self.wake(taker.now);
        }
        while taker.room > 0 {
            let Some(position) = self.ready.pop_first() else {
                break;
            };
            self.take_again(position, log, taker);
        }
        while taker.room > 0 && self.next() < log.end() {
            if self.take_run(log, taker) == 0 {
                self.look(log, taker);
            }
        }
    }

    /// Hands out a run of messages that need no closer look; returns how many.
    #[inline]
    fn take_run(&mut self, log: &Log, taker: &mut Taker<'_>) -> usize {
        let start = self.next();
        let Some(entries) = log.entries.dense_from(start) else {
            return 0;
        };
        let before = taker.picks.len();
        for (entry, position) in entries.take(taker.room).zip(start..) {
            let Some(entry) = entry.filter(|entry| entry.is_plain()) else {
                break;
            };
            taker.hand(entry, position, 1, None);
        }
        let taken = taker.picks.len() - before;
        taker.room -= taken;
        self.slots.push_many(Slot::out(taker.owner), taken);
        taken
    }

    /// Looks at the next message.
    fn look(&mut self, log: &Log, taker: &mut Taker<'_>) {
        let position = self.next();
        let Some(entry) = log.get(position) else {
            return self.slots.skip_to(log.first_from(position));
        };
        if entry.is(Entry::HANDLED) {
            return self.slots.skip_to(position + 1);
        }
        if entry.is(Entry::SCHEDULED) {
            return self.slots.push(Slot::new(Place::Delayed));
        }
        if entry.key != 0 && !self.keys.enter(entry.key, position) {
            return self.slots.push(Slot::new(Place::Parked));
        }
        self.slots.push(Slot::out(taker.owner));
        taker.room -= 1;
        taker.hand(entry, position, 1, None);
    }

    fn take_again(&mut self, position: u64, log: &Log, taker: &mut Taker<'_>) {
        let Some(slot) = self.slots.get_mut(position) else {
            return;
        };
        let Some(entry) = log.get(position) else {
            return self.drop_slot(position, None);
        };
        if entry.is(Entry::HANDLED) {
            return self.drop_slot(position, Some(entry.key));
        }
        if entry.is(Entry::SCHEDULED) {
            slot.place = Place::Delayed;
            return;
        }
        if entry.key != 0 && !self.keys.enter(entry.key, position) {
            slot.place = Place::Parked;
            return;
        }
        slot.place = Place::Out;
        slot.owner = taker.owner;
        slot.deliveries = slot.deliveries.saturating_add(1);
        let note = if slot.extra == Extra::Noted {
            self.notes.get(&position).copied()
        } else {
            None
        };
        taker.room -= 1;
        let deliveries = slot.deliveries;
        taker.hand(entry, position, deliveries, note);
    }
}

impl Taker<'_> {
    #[inline]
    fn hand(&mut self, entry: &Entry, position: u64, deliveries: u16, note: Option<Note>) {
        self.picks.push(Pick {
            position,
            lsn: entry.lsn.get(),
            len: entry.len,
            lane: self.lane,
            deliveries,
            note,
        });
    }
}
