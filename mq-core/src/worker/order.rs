//! Which deliveries may run: one after the other within a key or partition, the others side by side.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, BuildHasherDefault, Hasher},
};

use foldhash::fast::RandomState;

use crate::{
    binder::{Delivery, LaneId, Record, Turn},
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
///
/// A line that nobody needs is kept for a while: the next message of its key finds it where it was.
#[derive(Debug)]
pub struct Order {
    ordering: Ordering,
    /// Whether deliveries are handled in batches, one after the other.
    in_batches: bool,
    hasher: RandomState,
    /// Where the line of a turnstile is.
    places: HashMap<u64, u32, BuildHasherDefault<Identity>>,
    lines: Vec<Line>,
    free: Vec<u32>,
    /// With so many lines, those that nobody needs are forgotten.
    sweep_at: usize,
    #[expect(clippy::vec_box, reason = "the boxes themselves are used again")]
    spare: Vec<Box<Behind>>,
    /// Those who have got their turn since the last look.
    next: Vec<Delivery>,
}

/// What is through a turnstile, and who waits.
#[derive(Debug, Default)]
struct Line {
    through: u32,
    behind: Option<Box<Behind>>,
}

/// Who waits, and for whom.
#[derive(Debug, Default)]
struct Behind {
    parked: Option<(LaneId, u64)>,
    waiting: VecDeque<Delivery>,
}

impl Line {
    fn is_idle(&self) -> bool {
        self.through == 0 && self.behind.is_none()
    }

    fn parked(&self) -> Option<(LaneId, u64)> {
        self.behind.as_ref()?.parked
    }

    #[expect(clippy::vec_box, reason = "the boxes themselves are used again")]
    fn behind(&mut self, spare: &mut Vec<Box<Behind>>) -> &mut Behind {
        self.behind
            .get_or_insert_with(|| spare.pop().unwrap_or_default())
    }
}

/// The numbers are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes
            .iter()
            .fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// Emptied queues that are kept for the next line.
const SPARE: usize = 64;

/// So many lines are kept, whether or not anybody needs them.
const LINES: usize = 4_096;

impl Order {
    /// An order of nothing yet; `in_batches` where batches of deliveries are handled one after the other.
    #[must_use]
    pub fn new(ordering: Ordering, in_batches: bool) -> Self {
        Self {
            ordering,
            in_batches,
            hasher: RandomState::default(),
            places: HashMap::default(),
            lines: Vec::new(),
            free: Vec::new(),
            sweep_at: LINES,
            spare: Vec::new(),
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
        let hash = match self.ordering {
            Ordering::None => return None,
            Ordering::Key => self.hasher.hash_one(record.message.as_key()?.as_ref()),
            Ordering::Partition => self.hasher.hash_one(record.lane),
        };
        Some(Turnstile(hash))
    }

    /// The turns of records that arrive, to be kept with them; they stay valid until the records are done with.
    pub(crate) fn turns(&mut self, records: &[Record], turns: &mut Vec<Turn>) {
        turns.extend(records.iter().map(|record| self.turn_of(record)));
    }

    #[inline(always)]
    fn turn_of(&mut self, record: &Record) -> Turn {
        let Some(Turnstile(hash)) = self.turnstile_of(record) else {
            return Turn::FREE;
        };
        match self.places.get(&hash) {
            Some(place) => Turn::at(*place),
            None => Turn::at(self.new_line(hash)),
        }
    }

    #[inline(never)]
    fn new_line(&mut self, hash: u64) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.lines.push(Line::default());
            // There are fewer lines than messages in the window.
            u32::try_from(self.lines.len() - 1).unwrap_or(u32::MAX)
        });
        self.places.insert(hash, place);
        place
    }

    /// Whether it is time to [sweep](Self::sweep).
    pub(crate) fn is_crowded(&self) -> bool {
        self.places.len() >= self.sweep_at
    }

    /// Forgets the lines that nobody needs. Whatever has been given a turn must have been admitted.
    pub(crate) fn sweep(&mut self) {
        let (lines, free) = (&self.lines, &mut self.free);
        self.places.retain(|_, place| {
            let is_needed = !lines[*place as usize].is_idle();
            if !is_needed {
                free.push(*place);
            }
            is_needed
        });
        self.sweep_at = LINES.max(self.places.len() * 2);
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
        let line = &mut self.lines[place];
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
        let line = &mut self.lines[place];
        if self.in_batches && line.parked().is_none() {
            line.through += 1;
            return Some(delivery);
        }
        line.behind(&mut self.spare).waiting.push_back(delivery);
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
        let line = &mut self.lines[place];
        line.through = line.through.saturating_sub(1);
        if line.through == 0 && line.behind.is_some() {
            self.pass(place);
        }
    }

    /// Gives the turn to those who wait, now that nobody has it.
    #[inline(never)]
    fn pass(&mut self, place: usize) {
        let line = &mut self.lines[place];
        let Some(behind) = &mut line.behind else {
            return;
        };
        behind.parked = None;
        let Some(next) = behind.waiting.pop_front() else {
            let emptied = line.behind.take();
            if self.spare.len() < SPARE {
                self.spare.extend(emptied);
            }
            return;
        };
        line.through = 1;
        self.next.push(next);
        if self.in_batches {
            line.through += u32::try_from(behind.waiting.len()).unwrap_or(u32::MAX - 1);
            self.next.extend(behind.waiting.drain(..));
        }
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
        if let Some((line, spare)) = self.line(delivery) {
            line.behind(spare).parked = Some(delivery.place());
        }
    }

    /// Whether an earlier delivery of the same turnstile waits for another attempt.
    pub(crate) fn is_passed_over(&mut self, delivery: &Delivery) -> bool {
        self.in_batches
            && self
                .line(delivery)
                .and_then(|(line, _)| line.parked())
                .is_some_and(|parked| parked < delivery.place())
    }

    /// A delivery that went through goes back in line, before those who came after it.
    pub(crate) fn line_up_again(&mut self, delivery: Delivery) {
        if let Some((line, spare)) = self.line(&delivery) {
            line.through = line.through.saturating_sub(1);
            let waiting = &mut line.behind(spare).waiting;
            let before = waiting.partition_point(|other| other.place() < delivery.place());
            waiting.insert(before, delivery);
        }
    }

    #[expect(clippy::vec_box, reason = "the boxes themselves are used again")]
    fn line(&mut self, delivery: &Delivery) -> Option<(&mut Line, &mut Vec<Box<Behind>>)> {
        let place = self.line_of(delivery)?;
        Some((&mut self.lines[place], &mut self.spare))
    }

    /// Takes every waiting delivery out for which `wanted` holds, in order within each line.
    pub(crate) fn take_waiting(&mut self, wanted: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let mut taken = Vec::new();
        let lines = self.lines.iter_mut();
        for behind in lines.filter_map(|line| line.behind.as_mut()) {
            let (out, kept): (Vec<_>, Vec<_>) = behind.waiting.drain(..).partition(&wanted);
            behind.waiting.extend(kept);
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
    fn a_line_that_nobody_needs_is_forgotten_once_there_are_many() {
        let mut order = Order::new(Ordering::Key, false);
        let record = |key: usize| Record {
            message: Message::new("x").key(key.to_string()),
            ..Record::default()
        };
        let busy = Delivery::of(Message::new("x").key("7"));
        assert!(order.admit(busy.clone()).is_some());
        let all: Vec<_> = (0..LINES).map(record).collect();
        order.turns(&all, &mut Vec::new());
        assert_eq!(order.places.len(), LINES);
        assert!(order.is_crowded());
        order.sweep();
        assert_eq!(order.places.len(), 1);
        order.turns(&all[..10], &mut Vec::new());
        assert_eq!((order.places.len(), order.lines.len()), (10, LINES));
        assert!(order.admit(busy.clone()).is_none());
        assert_eq!(next(&mut order, &busy), 1);
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
