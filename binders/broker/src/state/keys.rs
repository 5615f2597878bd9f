//! Whose turn it is among messages of one key.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
};

/// A key of which a message is on its way.
#[derive(Debug)]
struct Line {
    head: u64,
    waiting: VecDeque<u64>,
}

/// The keys of one lane that are taken, by their hash.
///
/// Two keys with the same hash wait for each other, which delays but never reorders.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<u64, Line, BuildHasherDefault<SameHash>>);

impl Keys {
    /// Asks for a turn; who does not get it waits for [`pass`](Self::pass).
    #[inline]
    pub(super) fn enter(&mut self, key: u64, position: u64) -> bool {
        match self.0.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(Line {
                    head: position,
                    waiting: VecDeque::new(),
                });
                true
            }
            Entry::Occupied(line) if line.get().head == position => true,
            Entry::Occupied(mut line) => {
                line.get_mut().waiting.push_back(position);
                false
            }
        }
    }

    /// Ends the turn of `head`; the next one that still waits has it, and is returned.
    #[inline]
    pub(super) fn pass(&mut self, key: u64, head: u64, waits: impl Fn(u64) -> bool) -> Option<u64> {
        let Entry::Occupied(mut line) = self.0.entry(key) else {
            return None;
        };
        if line.get().head != head {
            return None;
        }
        while let Some(next) = line.get_mut().waiting.pop_front() {
            if waits(next) {
                line.get_mut().head = next;
                return Some(next);
            }
        }
        line.remove();
        None
    }

    /// The same for a message of which nobody knows the key any more.
    #[cold]
    pub(super) fn pass_gone(&mut self, head: u64, waits: impl Fn(u64) -> bool) -> Option<u64> {
        let mut lines = self.0.iter();
        let key = lines.find_map(|(key, line)| (line.head == head).then_some(*key))?;
        self.pass(key, head, waits)
    }
}

/// A hasher for keys that are hashes already.
#[derive(Debug, Default)]
struct SameHash(u64);

impl Hasher for SameHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64(bytes);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_a_key_get_their_turns_in_order() {
        let mut keys = Keys::default();
        assert!(keys.enter(7, 1));
        assert!(keys.enter(7, 1));
        assert!(!keys.enter(7, 2) && !keys.enter(7, 5) && keys.enter(8, 3));
        assert_eq!(keys.pass(7, 2, |_| true), None);
        assert_eq!(keys.pass(7, 1, |position| position != 2), Some(5));
        assert!(keys.enter(7, 5));
        assert_eq!(keys.pass(7, 5, |_| true), None);
        assert!(keys.enter(7, 9));
    }
}
