//! Whose turn it is among messages of one key.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use xxhash_rust::xxh3::xxh3_64;

/// The hash by which keys are told apart; never 0.
///
/// Two keys with the same hash wait for each other, which delays but never reorders.
#[inline]
pub(crate) fn key_hash(key: &[u8]) -> u64 {
    xxh3_64(key).max(1)
}

/// A key of which a message is handed out, delayed or about to be handed out again.
#[derive(Clone, Copy, Debug)]
struct Line {
    head: u64,
    tail: u64,
}

/// The answer to a message that wants its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has it.
    Now,
    /// It waits behind the message at this position.
    Behind(u64),
}

/// The keys of one lane that are taken.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<u64, Line, BuildHasherDefault<SameHash>>);

impl Keys {
    /// Asks for a turn; who waits gets it by [`pass`](Self::pass).
    #[inline]
    pub(super) fn enter(&mut self, key: u64, position: u64) -> Turn {
        let new = Line {
            head: position,
            tail: position,
        };
        let line = self.0.entry(key).or_insert(new);
        if line.head == position {
            return Turn::Now;
        }
        Turn::Behind(std::mem::replace(&mut line.tail, position))
    }

    /// Gives the turn of `head` to `next`, which waited behind it.
    #[inline]
    pub(super) fn pass(&mut self, key: u64, head: u64, next: Option<u64>) {
        let Some(line) = self.0.get_mut(&key).filter(|line| line.head == head) else {
            return;
        };
        match next {
            Some(next) => line.head = next,
            None => {
                self.0.remove(&key);
                if self.0.is_empty() && self.0.capacity() > KEEP {
                    self.0.shrink_to(0);
                }
            }
        }
    }

    /// The message at `tail`, which waited behind `before`, is gone from the end of its line.
    pub(super) fn shorten(&mut self, key: u64, tail: u64, before: u64) {
        if let Some(line) = self.0.get_mut(&key).filter(|line| line.tail == tail) {
            line.tail = before;
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Below this capacity, storage is kept for the next keys.
const KEEP: usize = 4_096;

/// A hasher for keys that are hashes already.
#[derive(Debug, Default)]
struct SameHash(u64);

impl Hasher for SameHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
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
        assert_eq!(keys.enter(7, 1), Turn::Now);
        assert_eq!(keys.enter(7, 1), Turn::Now);
        assert_eq!(keys.enter(7, 2), Turn::Behind(1));
        assert_eq!(keys.enter(7, 5), Turn::Behind(2));
        assert_eq!(keys.enter(8, 3), Turn::Now);
        keys.pass(7, 1, Some(2));
        assert_eq!(keys.enter(7, 2), Turn::Now);
        keys.pass(7, 2, Some(5));
        keys.pass(7, 5, None);
        assert_eq!(keys.enter(7, 9), Turn::Now);
    }
}
