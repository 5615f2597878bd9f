//! Positions of one positional lane: what is settled, and up to where everything is.

use std::{
    collections::{BTreeMap, VecDeque},
    time::SystemTime,
};

use bytes::Bytes;

use super::saved::Saved;

/// A message that waits for another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) attempts: u32,
    pub(super) due: SystemTime,
}

/// The positions of a lane, from the lowest unsettled one on.
#[derive(Debug)]
pub(super) struct Tracker {
    epoch: u32,
    seen: VecDeque<(u64, bool)>,
    next: u64,
    committed: u64,
    held: BTreeMap<u64, Held>,
    restored: Saved,
    changed: bool,
}

/// What is known of a position when it is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// Nothing: handle it.
    New,
    /// It was settled before a restart: do not handle it again.
    Settled,
    /// It was held before a restart.
    Held(Held),
}

impl Tracker {
    /// A lane that was assigned with this committed position and saved state.
    pub(super) fn new(epoch: u32, committed: u64, saved: Option<&Bytes>) -> Self {
        let restored = saved
            .and_then(|bytes| Saved::decode(bytes, committed))
            .unwrap_or_default();
        Self {
            epoch,
            seen: VecDeque::new(),
            next: committed,
            committed,
            held: BTreeMap::new(),
            restored,
            changed: false,
        }
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// A position has arrived.
    pub(super) fn arrived(&mut self, position: u64) -> Arrived {
        if self.restored.settled.remove(&position) {
            self.seen.push_back((position, true));
            self.next = position + 1;
            self.trim();
            return Arrived::Settled;
        }
        self.seen.push_back((position, false));
        self.next = position + 1;
        match self.restored.held.remove(&position) {
            Some(held) => {
                self.held.insert(position, held);
                Arrived::Held(held)
            }
            None => Arrived::New,
        }
    }

    /// Whether something is known of this position or of one behind it that has not arrived since.
    pub(super) fn knows_from(&self, position: u64) -> bool {
        self.restored.reaches(position)
    }

    /// Positions have arrived of which nothing is [known](Self::knows_from).
    pub(super) fn arrived_new(&mut self, positions: impl Iterator<Item = u64>) {
        self.seen
            .extend(positions.map(|position| (position, false)));
        if let Some((last, _)) = self.seen.back() {
            self.next = last + 1;
        }
    }

    /// A position waits for another attempt.
    pub(super) fn hold(&mut self, position: u64, held: Held) {
        self.held.insert(position, held);
        self.changed = true;
    }

    /// Positions are done with.
    pub(super) fn settle(&mut self, positions: impl IntoIterator<Item = u64>) {
        for position in positions {
            self.held.remove(&position);
            if let Some(index) = self.index(position) {
                self.seen[index].1 = true;
                self.changed = true;
            }
        }
        self.trim();
    }

    fn index(&self, position: u64) -> Option<usize> {
        let first = self.seen.front()?.0;
        let guess = usize::try_from(position.checked_sub(first)?).ok()?;
        match self.seen.get(guess) {
            Some((found, _)) if *found == position => Some(guess),
            _ => self
                .seen
                .binary_search_by_key(&position, |(found, _)| *found)
                .ok(),
        }
    }

    fn trim(&mut self) {
        while self.seen.front().is_some_and(|(_, settled)| *settled) {
            self.seen.pop_front();
        }
    }

    /// The lowest position that is not settled.
    pub(super) fn low(&self) -> u64 {
        self.seen
            .front()
            .map_or(self.next, |(position, _)| *position)
    }

    /// Positions from the lowest unsettled one to the highest that has arrived.
    pub(super) fn span(&self) -> u64 {
        self.next - self.low()
    }

    /// Whether there is something new to commit.
    pub(super) fn is_dirty(&self) -> bool {
        self.changed || self.low() != self.committed
    }

    /// The position to commit and, in at most `limit` bytes, what is settled or held above it; `Err` if that does not fit.
    pub(super) fn commit(&mut self, limit: usize) -> Result<(u64, Option<Bytes>), Unfit> {
        let low = self.low();
        let saved = self.saved(low, limit)?;
        self.committed = low;
        self.changed = false;
        Ok((low, saved))
    }

    fn saved(&self, low: u64, limit: usize) -> Result<Option<Bytes>, Unfit> {
        if limit == 0 {
            return Ok(None);
        }
        let mut saved = self.restored.clone();
        saved.settled.extend(
            self.seen
                .iter()
                .filter(|(_, settled)| *settled)
                .map(|(position, _)| *position),
        );
        saved.held.extend(&self.held);
        if saved.is_empty() {
            return Ok(None);
        }
        let bytes = saved.encode(low);
        if bytes.len() <= limit {
            Ok(Some(bytes))
        } else {
            Err(Unfit)
        }
    }

    /// Whether what must be saved still fits, with room for one more batch.
    pub(super) fn fits(&self, limit: usize) -> bool {
        let entries = self.held.len() + self.restored.held.len();
        limit == 0
            || (entries * Saved::HELD + usize::try_from(self.span() / 8).unwrap_or(usize::MAX))
                < limit / 4 * 3
    }
}

/// What is to be saved does not fit beside the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit;

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn positions_are_committed_up_to_the_lowest_unsettled_one() {
        let mut tracker = Tracker::new(1, 10, None);
        for position in [10, 11, 12, 15] {
            assert_eq!(tracker.arrived(position), Arrived::New);
        }
        tracker.settle([11]);
        tracker.settle([15]);
        assert_eq!(tracker.low(), 10);
        tracker.settle([10]);
        assert_eq!(tracker.low(), 12);
        tracker.settle([12]);
        assert_eq!(tracker.low(), 16);
        assert_eq!(tracker.commit(0), Ok((16, None)));
        assert!(!tracker.is_dirty());
    }

    #[test]
    fn a_restart_repeats_neither_what_is_settled_nor_the_attempts_of_what_is_held() {
        let mut tracker = Tracker::new(1, 0, None);
        (0..6).for_each(|position| {
            tracker.arrived(position);
        });
        tracker.settle([1]);
        tracker.settle([4]);
        let held = Held {
            attempts: 3,
            due: UNIX_EPOCH + Duration::from_secs(60),
        };
        tracker.hold(0, held);
        let (low, saved) = tracker.commit(4096).expect("fits");
        let mut again = Tracker::new(2, low, saved.as_ref());
        let arrived: Vec<_> = (0..6).map(|position| again.arrived(position)).collect();
        let (new, done) = (Arrived::New, Arrived::Settled);
        assert_eq!(arrived, [Arrived::Held(held), done, new, new, done, new]);
    }

    #[test]
    fn what_was_saved_is_known_until_the_positions_are_behind_it() {
        let mut tracker = Tracker::new(1, 10, None);
        assert!(!tracker.knows_from(10));
        tracker.arrived_new([10, 11, 14].into_iter());
        tracker.settle([11, 14]);
        assert_eq!((tracker.low(), tracker.span()), (10, 5));
        let (low, saved) = tracker.commit(4096).expect("fits");
        let again = Tracker::new(2, low, saved.as_ref());
        assert!(again.knows_from(10) && again.knows_from(14));
        assert!(!again.knows_from(15));
        tracker.settle([10]);
        assert_eq!(tracker.low(), 15);
    }

    #[test]
    fn what_does_not_fit_is_not_dropped() {
        let mut tracker = Tracker::new(1, 0, None);
        (0..2_000).for_each(|position| {
            tracker.arrived(position);
            tracker.hold(
                position,
                Held {
                    attempts: 1,
                    due: UNIX_EPOCH,
                },
            );
        });
        assert_eq!(tracker.commit(100), Err(Unfit));
        assert!(!tracker.fits(4096));
    }
}
