//! Which deliveries may run: one after the other within a key or partition, the others side by side.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    hash::{BuildHasher, BuildHasherDefault, Hasher},
};

use foldhash::fast::RandomState;

use crate::{binder::Delivery, policy::Ordering};

/// What must run one after the other has the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Turnstile(u64);

/// The turnstiles of one binding: each lets one delivery through, the others wait in line.
///
/// A delivery keeps its turnstile while it is handled and while it waits for another attempt.
#[derive(Debug)]
pub(super) struct Order {
    ordering: Ordering,
    hasher: RandomState,
    lines: HashMap<u64, VecDeque<Delivery>, BuildHasherDefault<Identity>>,
    spare: Vec<VecDeque<Delivery>>,
    waiting: usize,
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
    pub(super) fn new(ordering: Ordering) -> Self {
        Self {
            ordering,
            hasher: RandomState::default(),
            lines: HashMap::default(),
            spare: Vec::new(),
            waiting: 0,
        }
    }

    /// Deliveries that wait in line.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// The turnstile of a delivery; `None` if it may run beside all others.
    pub(super) fn turnstile(&self, delivery: &Delivery) -> Option<Turnstile> {
        let hash = match self.ordering {
            Ordering::Key => self.hasher.hash_one(delivery.message().as_key()?.as_ref()),
            Ordering::Partition => self.hasher.hash_one(delivery.record().lane),
            _ => return None,
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
                entry.insert(self.spare.pop().unwrap_or_default());
                Some(delivery)
            }
            Entry::Occupied(mut entry) => {
                entry.get_mut().push_back(delivery);
                self.waiting += 1;
                None
            }
        }
    }

    /// The delivery that went through is done with; returns the next in line, which has the turnstile now.
    pub(super) fn leave(&mut self, delivery: &Delivery) -> Option<Delivery> {
        let Turnstile(hash) = self.turnstile(delivery)?;
        let Entry::Occupied(mut entry) = self.lines.entry(hash) else {
            return None;
        };
        if let Some(next) = entry.get_mut().pop_front() {
            self.waiting -= 1;
            return Some(next);
        }
        let line = entry.remove();
        if line.capacity() > 0 && self.spare.len() < SPARE {
            self.spare.push(line);
        }
        None
    }

    /// Takes every waiting delivery out for which `wanted` holds, in order within each line.
    pub(super) fn take_waiting(&mut self, wanted: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let mut taken = Vec::new();
        for line in self.lines.values_mut() {
            let (out, kept): (Vec<_>, Vec<_>) = line.drain(..).partition(&wanted);
            line.extend(kept);
            taken.extend(out);
        }
        self.waiting -= taken.len();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn delivery(key: &'static str) -> Delivery {
        let message = Message::new("x");
        Delivery::of(if key.is_empty() {
            message
        } else {
            message.key(key)
        })
    }

    #[test]
    fn a_key_lets_one_through_and_the_next_when_it_leaves() {
        let mut order = Order::new(Ordering::Key);
        assert!(order.admit(delivery("a")).is_some());
        assert!(order.admit(delivery("a")).is_none());
        assert!(order.admit(delivery("b")).is_some());
        assert!(order.admit(delivery("")).is_some());
        assert_eq!(order.waiting(), 1);
        assert!(order.leave(&delivery("a")).is_some());
        assert!(order.leave(&delivery("a")).is_none());
        assert!(order.admit(delivery("a")).is_some());
    }

    #[test]
    fn without_order_everything_goes_through() {
        let mut order = Order::new(Ordering::None);
        assert!(order.admit(delivery("a")).is_some() && order.admit(delivery("a")).is_some());
    }

    #[test]
    fn those_who_wait_can_be_taken_out() {
        let mut order = Order::new(Ordering::Partition);
        assert!(order.admit(delivery("a")).is_some());
        assert!(order.admit(delivery("b")).is_none());
        assert_eq!(order.take_waiting(|_| true).len(), 1);
        assert_eq!(order.waiting(), 0);
        assert!(order.leave(&delivery("a")).is_none());
    }
}
