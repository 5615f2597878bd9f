//! Handing messages out.

use super::{Extra, Lane, Note, Pick, Place, Slot};
use crate::{
    options::GroupMode,
    state::{
        credit::Grant,
        log::{Entry, Log},
    },
};

/// Who wants messages, and how many.
#[derive(Debug)]
pub(crate) struct Taker<'a> {
    pub(in crate::state) picks: &'a mut Vec<Pick>,
    /// How many more it may have.
    pub(in crate::state) room: usize,
    pub(in crate::state) owner: u32,
    pub(in crate::state) lane: u32,
    /// Nanoseconds since the Unix epoch.
    pub(in crate::state) now: u64,
    /// Whether messages whose time is up are kept back.
    pub(in crate::state) keeps_over: bool,
    /// Bytes that it may have, if these are counted.
    pub(in crate::state) grant: Option<Grant>,
    /// Whether there was a message that it may not have for its size.
    pub(in crate::state) is_short: bool,
}

/// Handing out.
impl Lane {
    /// Hands out what there is room for: first what comes again, then what is new.
    pub(in crate::state) fn take(&mut self, log: &Log, taker: &mut Taker<'_>) {
        if self.cursor.is_some() {
            return self.take_in_order(log, taker);
        }
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
        if taker.grant.is_some() {
            return 0;
        }
        let before = taker.picks.len();
        let ignores_keys = self.mode != GroupMode::Key;
        for (entry, position) in entries.take(taker.room).zip(start..) {
            let Some(entry) = entry.filter(|entry| entry.is_plain(ignores_keys)) else {
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
        if taker.keeps_back(entry, position, log) {
            // Until the journal says that it is gone.
            return self.slots.push(Slot::new(Place::Delayed));
        }
        if entry.is(Entry::SCHEDULED) {
            return self.slots.push(Slot::new(Place::Delayed));
        }
        let key = self.key(entry);
        if key != 0 && !self.keys.enter(key, position) {
            return self.slots.push(Slot::new(Place::Parked));
        }
        if !taker.fits(entry) {
            // It has its turn, for whoever has room for it.
            self.slots.push(Slot::new(Place::Ready));
            self.ready.insert(position);
            return;
        }
        self.slots.push(Slot::out(taker.owner));
        taker.hand_one(entry, position, 1, None);
    }

    fn take_again(&mut self, position: u64, log: &Log, taker: &mut Taker<'_>) {
        let Some(slot) = self.slots.get_mut(position) else {
            return;
        };
        let Some(entry) = log.get(position) else {
            return self.drop_slot(position, None);
        };
        if entry.is(Entry::HANDLED) {
            let key = self.key(entry);
            return self.drop_slot(position, Some(key));
        }
        if entry.is(Entry::SCHEDULED) || taker.keeps_back(entry, position, log) {
            slot.place = Place::Delayed;
            return;
        }
        let key = if self.mode == GroupMode::Key {
            entry.key
        } else {
            0
        };
        if key != 0 && !self.keys.enter(key, position) {
            slot.place = Place::Parked;
            return;
        }
        if !taker.fits(entry) {
            self.ready.insert(position);
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
        let deliveries = slot.deliveries;
        taker.hand_one(entry, position, deliveries, note);
    }
}

impl Taker<'_> {
    /// Whether the time of a message is up, and it is not handed out then.
    pub(super) fn keeps_back(&self, entry: &Entry, position: u64, log: &Log) -> bool {
        self.keeps_over && entry.is(Entry::ENDS) && log.ends.is_over(position, self.now)
    }

    /// Whether there is credit for a message; if not, nothing more is handed out.
    #[inline]
    pub(super) fn fits(&mut self, entry: &Entry) -> bool {
        let fits = self.grant.is_none_or(|grant| grant.fits(entry.len));
        if !fits {
            self.is_short = true;
            self.room = 0;
        }
        fits
    }

    /// Hands out a message that [fits](Self::fits).
    #[inline]
    pub(super) fn hand_one(
        &mut self,
        entry: &Entry,
        position: u64,
        deliveries: u16,
        note: Option<Note>,
    ) {
        self.room -= 1;
        if let Some(grant) = &mut self.grant {
            grant.take(entry.len);
        }
        self.hand(entry, position, deliveries, note);
    }

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
