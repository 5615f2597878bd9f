//! Which deliveries may run: one after the other within a key or partition, the others side by side.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

use super::lines::{Behind, Lines};
use crate::{
    binder::{Delivery, Record, Turn},
    policy::Ordering,
};

/// What must run one after the other has the same hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Turnstile(u64);

/// The turnstiles of one binding: each lets one delivery through, the others wait in line.
///
/// A delivery keeps its turnstile while it is handled and while it waits for another attempt.
/// Where batches go one after the other, a turnstile lets any number through until one of them has failed: then it is *parked*, and
/// lets nobody through until that one is done with.
#[derive(Debug)]
pub struct Order {
    ordering: Ordering,
    /// Whether deliveries are handled in batches, one after the other.
    in_batches: bool,
    hasher: RandomState,
    lines: Lines,
    /// Those who have got their turn since the last look.
    next: Vec<Delivery>,
}

impl Order {
    /// An order of nothing yet; `in_batches` where batches of deliveries are handled one after the other.
    #[must_use]
    pub fn new(ordering: Ordering, in_batches: bool) -> Self {
        Self {
            ordering,
            in_batches,
            hasher: RandomState::default(),
            lines: Lines::default(),
            next: Vec::new(),
        }
    }

    /// Whether there is no order at all: everything may run beside everything.
    #[must_use]
    #[inline]
    pub fn is_free(&self) -> bool {
        self.ordering == Ordering::None
    }

    /// The turnstile of a delivery; `None` if it may run beside all others.
    #[must_use]
    pub fn turnstile(&self, delivery: &Delivery) -> Option<Turnstile> {
        self.turnstile_of(delivery.record())
    }

    #[inline]
    fn turnstile_of(&self, record: &Record) -> Option<Turnstile> {
        match self.ordering {
            Ordering::None => None,
            Ordering::Key => self.turnstile_of_key(record),
            Ordering::Partition => Some(Turnstile(self.hasher.hash_one(record.lane))),
        }
    }

    #[inline(always)]
    fn turnstile_of_key(&self, record: &Record) -> Option<Turnstile> {
        // The length is part of what bytes are hashed to.
        let mut hasher = self.hasher.build_hasher();
        hasher.write(record.message.as_key()?);
        Some(Turnstile(hasher.finish()))
    }

    /// The turns of records that arrive, to be kept with them; they stay valid until the records are done with.
    pub(crate) fn turns(&mut self, records: &[Record], turns: &mut Vec<Turn>) {
        let records = records.iter();
        match self.ordering {
            Ordering::Key => turns.extend(records.map(|record| {
                let turnstile = self.turnstile_of_key(record);
                self.turn_at(turnstile)
            })),
            Ordering::None | Ordering::Partition => {
                turns.extend(records.map(|record| self.turn_of(record)));
            }
        }
    }

    #[inline(always)]
    fn turn_of(&mut self, record: &Record) -> Turn {
        let turnstile = self.turnstile_of(record);
        self.turn_at(turnstile)
    }

    #[inline(always)]
    fn turn_at(&mut self, turnstile: Option<Turnstile>) -> Turn {
        let Some(Turnstile(hash)) = turnstile else {
            return Turn::FREE;
        };
        Turn::at(self.lines.place_of(hash))
    }

    /// Whether it is time to [sweep](Self::sweep).
    pub(crate) fn is_crowded(&self) -> bool {
        self.lines.is_crowded()
    }

    /// Forgets the lines that nobody needs. Whatever has been given a turn must have been admitted.
    pub(crate) fn sweep(&mut self) {
        self.lines.sweep();
    }

    /// The place of a delivery's line.
    #[inline(always)]
    fn line_of(&mut self, delivery: &Delivery) -> Option<usize> {
        let turn = delivery.turn();
        turn.unwrap_or_else(|| self.turn_of(delivery.record()))
            .place()
    }

    /// Lets the delivery through, or keeps it in line.
    pub(crate) fn admit(&mut self, delivery: Delivery) -> Option<Delivery> {
        if self.lets_through(&delivery) {
            return Some(delivery);
        }
        self.line_up(delivery)
    }

    /// Lets the delivery through if nobody is before it; else it is to [line up](Self::line_up).
    #[inline(always)]
    pub(super) fn lets_through(&mut self, delivery: &Delivery) -> bool {
        if self.is_free() {
            return true;
        }
        let Some(place) = self.line_of(delivery) else {
            return true;
        };
        let line = self.lines.at(place);
        let is_idle = line.is_idle();
        if is_idle {
            line.through = 1;
        }
        is_idle
    }

    /// Puts the delivery in line behind others. In a batch it may go with them, unless one of them waits for another attempt.
    #[inline(never)]
    pub(super) fn line_up(&mut self, delivery: Delivery) -> Option<Delivery> {
        let Some(place) = self.line_of(&delivery) else {
            return Some(delivery);
        };
        let line = self.lines.at(place);
        if self.in_batches && line.parked().is_none() {
            line.through += 1;
            return Some(delivery);
        }
        self.lines.behind(place).waiting.push_back(delivery);
        None
    }

    /// A delivery that went through is done with: who gets the turn now is [next](Self::take_next).
    #[inline(always)]
    pub(crate) fn leave(&mut self, delivery: &Delivery) {
        if self.is_free() {
            return;
        }
        let Some(place) = self.line_of(delivery) else {
            return;
        };
        let line = self.lines.at(place);
        line.through = line.through.saturating_sub(1);
        if line.through == 0 && line.has_behind() {
            self.pass(place);
        }
    }

    /// Gives the turn to those who wait, now that nobody has it.
    #[inline(never)]
    fn pass(&mut self, place: usize) {
        let Some((next, behind)) = self.lines.advance(place) else {
            return;
        };
        self.next.push(next);
        let mut through = 1;
        if self.in_batches {
            through += u32::try_from(behind.waiting.len()).unwrap_or(u32::MAX - 1);
            self.next.extend(behind.waiting.drain(..));
        }
        self.lines.at(place).through = through;
    }

    /// Whether somebody has got the turn.
    #[inline]
    pub(crate) fn has_next(&self) -> bool {
        !self.next.is_empty()
    }

    /// Takes out who has got the turn; the emptied list comes [back](Self::give_back).
    pub(crate) fn take_next(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.next)
    }

    /// Takes storage back that is used again.
    pub(crate) fn give_back(&mut self, emptied: Vec<Delivery>) {
        if self.next.is_empty() {
            self.next = emptied;
        }
    }

    /// A delivery that went through waits for another attempt: nobody passes it.
    pub(crate) fn park(&mut self, delivery: &Delivery) {
        if let Some(behind) = self.behind(delivery) {
            behind.parked = Some(delivery.place());
        }
    }

    /// Whether an earlier delivery of the same turnstile waits for another attempt.
    pub(crate) fn is_passed_over(&mut self, delivery: &Delivery) -> bool {
        if !self.in_batches {
            return false;
        }
        let place = self.line_of(delivery);
        let parked = place.and_then(|place| self.lines.at(place).parked());
        parked.is_some_and(|parked| parked < delivery.place())
    }

    /// A delivery that went through goes back in line, before those who came after it.
    pub(crate) fn line_up_again(&mut self, delivery: Delivery) {
        let Some(place) = self.line_of(&delivery) else {
            return;
        };
        let line = self.lines.at(place);
        line.through = line.through.saturating_sub(1);
        let waiting = &mut self.lines.behind(place).waiting;
        let before = waiting.partition_point(|other| other.place() < delivery.place());
        waiting.insert(before, delivery);
    }

    fn behind(&mut self, delivery: &Delivery) -> Option<&mut Behind> {
        let place = self.line_of(delivery)?;
        Some(self.lines.behind(place))
    }

    /// Takes every waiting delivery out for which `wanted` holds, in order within each line.
    pub(crate) fn take_waiting(&mut self, wanted: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let mut taken = Vec::new();
        for waiting in self.lines.all_waiting() {
            let (out, kept): (Vec<_>, Vec<_>) = waiting.drain(..).partition(&wanted);
            waiting.extend(kept);
            taken.extend(out);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{binder::Batch, message::Message};

    fn delivery(key: &'static str) -> Delivery {
        let message = Message::new("x");
        Delivery::of(if key.is_empty() {
            message
        } else {
            message.key(key)
        })
    }

    fn next(order: &mut Order, left: &Delivery) -> usize {
        order.leave(left);
        order.take_next().len()
    }

    #[test]
    fn a_key_lets_one_through_and_the_next_when_it_leaves() {
        let mut order = Order::new(Ordering::Key, false);
        assert!(order.admit(delivery("a")).is_some());
        assert!(order.admit(delivery("a")).is_none());
        assert!(order.admit(delivery("b")).is_some());
        assert!(order.admit(delivery("")).is_some());
        assert_eq!(next(&mut order, &delivery("a")), 1);
        assert_eq!(next(&mut order, &delivery("a")), 0);
        assert!(order.admit(delivery("a")).is_some());
    }

    #[test]
    fn keys_that_begin_alike_have_lines_of_their_own() {
        let mut order = Order::new(Ordering::Key, false);
        for key in ["a", "aa", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaaaaaaaaaaa"] {
            assert!(order.admit(delivery(key)).is_some(), "{key}");
        }
        assert!(order.admit(delivery("aa")).is_none());
    }

    #[test]
    fn a_turn_given_on_arrival_is_that_of_the_key() {
        let mut order = Order::new(Ordering::Key, false);
        let first = delivery("a");
        assert!(order.admit(first.clone()).is_some());
        let mut turns = Vec::new();
        let of = |key: &'static str| delivery(key).record().clone();
        order.turns(&[of("a"), of("b"), of(""), of("a")], &mut turns);
        assert_eq!(turns[0], turns[3]);
        assert_ne!(turns[0], turns[1]);
        assert_eq!(turns[2], Turn::FREE);
        order.sweep();
        assert!(order.admit(delivery("a")).is_none());
    }

    #[test]
    fn without_order_everything_goes_through() {
        let mut order = Order::new(Ordering::None, false);
        assert!(order.admit(delivery("a")).is_some() && order.admit(delivery("a")).is_some());
    }

    #[test]
    fn those_who_wait_can_be_taken_out() {
        let mut order = Order::new(Ordering::Partition, false);
        assert!(order.admit(delivery("a")).is_some());
        assert!(order.admit(delivery("b")).is_none());
        assert_eq!(order.take_waiting(|_| true).len(), 1);
        assert_eq!(next(&mut order, &delivery("a")), 0);
    }

    #[test]
    fn batches_take_many_of_a_key_until_one_is_parked() {
        let at = |position| {
            let record = Record {
                message: Message::new("x").key("a"),
                position,
                ..Record::default()
            };
            Delivery::new(
                std::sync::Arc::new(Batch::new(vec![record], std::sync::Arc::default())),
                0,
            )
        };
        let mut order = Order::new(Ordering::Key, true);
        assert!((0..3).all(|position| order.admit(at(position)).is_some()));
        order.park(&at(0));
        assert!(!order.is_passed_over(&at(0)) && order.is_passed_over(&at(1)));
        assert!(order.admit(at(3)).is_none());
        order.line_up_again(at(2));
        order.line_up_again(at(1));
        order.leave(&at(0));
        let turns = order.take_next();
        let turns: Vec<_> = turns.iter().map(|turn| turn.record().position).collect();
        assert_eq!(turns, [1, 2, 3]);
    }
}
