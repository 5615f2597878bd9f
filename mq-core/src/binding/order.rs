//! Which deliveries may run: one after the other within a key or partition, the others side by side.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    hash::{BuildHasher, BuildHasherDefault, Hasher},
};

use foldhash::fast::RandomState;

use super::intake::place;
use crate::{
    binder::{Delivery, LaneId},
    listener::Style,
    policy::Ordering,
};

/// What must run one after the other has the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Turnstile(u64);

/// The turnstiles of one binding: each lets one delivery through, the others wait in line.
///
/// A delivery keeps its turnstile while it is handled and while it waits for another attempt.
/// Where batches go one after the other, a turnstile lets any number through until one of them has failed: then it is *parked*, and
/// lets nobody through until that one is done with.
#[derive(Debug)]
pub(super) struct Order {
    ordering: Ordering,
    style: Style,
    hasher: RandomState,
    lines: HashMap<u64, Line, BuildHasherDefault<Identity>>,
    spare: Vec<VecDeque<Delivery>>,
}

/// What is through a turnstile, and who waits.
#[derive(Debug, Default)]
struct Line {
    through: u32,
    parked: Option<(LaneId, u64)>,
    waiting: VecDeque<Delivery>,
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

/// Emptied lines that are kept for the next one.
const SPARE: usize = 64;

impl Order {
    pub(super) fn new(ordering: Ordering, style: Style) -> Self {
        Self {
            ordering,
            style,
            hasher: RandomState::default(),
            lines: HashMap::default(),
            spare: Vec::new(),
        }
    }

    /// Whether there is no order at all: everything may run beside everything.
    pub(super) fn is_free(&self) -> bool {
        self.ordering == Ordering::None
    }

    /// The turnstile of a delivery; `None` if it may run beside all others.
    pub(super) fn turnstile(&self, delivery: &Delivery) -> Option<Turnstile> {
        let hash = match self.ordering {
            Ordering::None => return None,
            Ordering::Key => self.hasher.hash_one(delivery.message().as_key()?.as_ref()),
            Ordering::Partition => self.hasher.hash_one(delivery.record().lane),
        };
        Some(Turnstile(hash))
    }

    /// Lets the delivery through, or keeps it in line.
    pub(super) fn admit(&mut self, delivery: Delivery) -> Option<Delivery> {
        let Some(Turnstile(hash)) = self.turnstile(&delivery) else {
            return Some(delivery);
        };
        match self.lines.entry(hash) {
            Entry::Vacant(entry) => {
                let waiting = self.spare.pop().unwrap_or_default();
                entry.insert(Line {
                    through: 1,
                    parked: None,
                    waiting,
                });
                Some(delivery)
            }
            Entry::Occupied(mut entry)
                if self.style == Style::Batch && entry.get().parked.is_none() =>
            {
                entry.get_mut().through += 1;
                Some(delivery)
            }
            Entry::Occupied(mut entry) => {
                entry.get_mut().waiting.push_back(delivery);
                None
            }
        }
    }

    /// A delivery that went through is done with: returns who gets the turn now, and puts others who get one into `others`.
    pub(super) fn leave(
        &mut self,
        delivery: &Delivery,
        others: &mut Vec<Delivery>,
    ) -> Option<Delivery> {
        let Turnstile(hash) = self.turnstile(delivery)?;
        let Entry::Occupied(mut entry) = self.lines.entry(hash) else {
            return None;
        };
        let line = entry.get_mut();
        line.through = line.through.saturating_sub(1);
        if line.through > 0 {
            return None;
        }
        line.parked = None;
        let Some(next) = line.waiting.pop_front() else {
            let Line { waiting, .. } = entry.remove();
            if waiting.capacity() > 0 && self.spare.len() < SPARE {
                self.spare.push(waiting);
            }
            return None;
        };
        line.through = 1;
        if self.style == Style::Batch {
            line.through += u32::try_from(line.waiting.len()).unwrap_or(u32::MAX - 1);
            others.extend(line.waiting.drain(..));
        }
        Some(next)
    }

    /// A delivery that went through waits for another attempt: nobody passes it.
    pub(super) fn park(&mut self, delivery: &Delivery) {
        if let Some(line) = self.line(delivery) {
            line.parked = Some(place(delivery));
        }
    }

    /// Whether an earlier delivery of the same turnstile waits for another attempt.
    pub(super) fn is_passed_over(&mut self, delivery: &Delivery) -> bool {
        self.style == Style::Batch
            && self
                .line(delivery)
                .and_then(|line| line.parked)
                .is_some_and(|parked| parked < place(delivery))
    }

    /// A delivery that went through goes back in line, before those who came after it.
    pub(super) fn line_up_again(&mut self, delivery: Delivery) {
        if let Some(line) = self.line(&delivery) {
            line.through = line.through.saturating_sub(1);
            let before = line
                .waiting
                .partition_point(|other| place(other) < place(&delivery));
            line.waiting.insert(before, delivery);
        }
    }

    fn line(&mut self, delivery: &Delivery) -> Option<&mut Line> {
        let Turnstile(hash) = self.turnstile(delivery)?;
        self.lines.get_mut(&hash)
    }

    /// Takes every waiting delivery out for which `wanted` holds, in order within each line.
    pub(super) fn take_waiting(&mut self, wanted: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let mut taken = Vec::new();
        for line in self.lines.values_mut() {
            let (out, kept): (Vec<_>, Vec<_>) = line.waiting.drain(..).partition(&wanted);
            line.waiting.extend(kept);
            taken.extend(out);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        binder::{Batch, Record},
        message::Message,
    };

    fn delivery(key: &'static str) -> Delivery {
        let message = Message::new("x");
        Delivery::of(if key.is_empty() {
            message
        } else {
            message.key(key)
        })
    }

    fn next(order: &mut Order, left: &Delivery) -> usize {
        let mut others = Vec::new();
        usize::from(order.leave(left, &mut others).is_some()) + others.len()
    }

    #[test]
    fn a_key_lets_one_through_and_the_next_when_it_leaves() {
        let mut order = Order::new(Ordering::Key, Style::Single);
        assert!(order.admit(delivery("a")).is_some());
        assert!(order.admit(delivery("a")).is_none());
        assert!(order.admit(delivery("b")).is_some());
        assert!(order.admit(delivery("")).is_some());
        assert_eq!(next(&mut order, &delivery("a")), 1);
        assert_eq!(next(&mut order, &delivery("a")), 0);
        assert!(order.admit(delivery("a")).is_some());
    }

    #[test]
    fn without_order_everything_goes_through() {
        let mut order = Order::new(Ordering::None, Style::Single);
        assert!(order.admit(delivery("a")).is_some() && order.admit(delivery("a")).is_some());
    }

    #[test]
    fn those_who_wait_can_be_taken_out() {
        let mut order = Order::new(Ordering::Partition, Style::Single);
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
        let mut order = Order::new(Ordering::Key, Style::Batch);
        assert!((0..3).all(|position| order.admit(at(position)).is_some()));
        order.park(&at(0));
        assert!(!order.is_passed_over(&at(0)) && order.is_passed_over(&at(1)));
        assert!(order.admit(at(3)).is_none());
        order.line_up_again(at(2));
        order.line_up_again(at(1));
        let mut turns = Vec::new();
        let first = order.leave(&at(0), &mut turns).expect("somebody waits");
        turns.insert(0, first);
        let turns: Vec<_> = turns.iter().map(|turn| turn.record().position).collect();
        assert_eq!(turns, [1, 2, 3]);
    }
}
