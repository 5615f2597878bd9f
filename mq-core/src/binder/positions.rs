//! A map from positions to values: dense at its end, sparse where only stragglers are left.

use std::collections::{BTreeMap, VecDeque};

/// Holes in the dense part that are tolerated beyond the number of its values.
const SLACK: usize = 1_024;
/// Below this capacity, storage is kept for the next values.
const KEEP: usize = 4_096;

/// Values by position, where positions only ever grow.
///
/// A value that stays while thousands after it come and go moves to the sparse part, so that memory follows the number of
/// values and not the span of their positions.
#[derive(Debug)]
pub struct Positions<T> {
    base: u64,
    dense: VecDeque<Option<T>>,
    live: usize,
    sparse: BTreeMap<u64, T>,
}

impl<T> Default for Positions<T> {
    fn default() -> Self {
        Self {
            base: 0,
            dense: VecDeque::new(),
            live: 0,
            sparse: BTreeMap::new(),
        }
    }
}

impl<T> Positions<T> {
    /// The position that the next [`push`](Self::push) gets.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.base + self.dense.len() as u64
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live + self.sparse.len()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets the value of the next position.
    pub fn push(&mut self, value: T) {
        self.dense.push_back(Some(value));
        self.live += 1;
    }

    /// Sets the value of a position at or after the end; those between have none.
    pub fn put(&mut self, position: u64, value: T) {
        if position > self.end() {
            self.skip_to(position);
        }
        self.push(value);
    }

    /// Passes over positions up to `end`, which have no value.
    pub fn skip_to(&mut self, end: u64) {
        if self.dense.is_empty() {
            self.base = self.base.max(end);
            return;
        }
        if end.saturating_sub(self.end()) > SLACK as u64 {
            return self.leap_to(end);
        }
        while self.end() < end {
            self.dense.push_back(None);
        }
        self.tidy();
    }

    /// Passes over so many positions that what lies before them is sparse.
    #[cold]
    fn leap_to(&mut self, end: u64) {
        let dense = std::mem::take(&mut self.dense);
        let values = dense.into_iter().zip(self.base..);
        self.sparse
            .extend(values.filter_map(|(value, position)| Some((position, value?))));
        self.live = 0;
        self.base = end;
    }

    #[inline]
    fn index(&self, position: u64) -> Option<usize> {
        usize::try_from(position.checked_sub(self.base)?).ok()
    }

    /// The value of this position.
    #[inline]
    #[must_use]
    pub fn get(&self, position: u64) -> Option<&T> {
        match self.index(position) {
            Some(index) => self.dense.get(index)?.as_ref(),
            None => self.sparse.get(&position),
        }
    }

    /// The value of this position, to change.
    #[inline]
    pub fn get_mut(&mut self, position: u64) -> Option<&mut T> {
        match self.index(position) {
            Some(index) => self.dense.get_mut(index)?.as_mut(),
            None => self.sparse.get_mut(&position),
        }
    }

    /// Removes the value at `position`; [`tidy`](Self::tidy) has to follow some time.
    #[inline]
    pub fn clear(&mut self, position: u64) {
        if position < self.base {
            self.sparse.remove(&position);
        } else {
            self.clear_if(position, |_| true);
        }
    }

    /// Removes the value at `position` where it is in the dense part and `condition` holds; returns whether it did.
    ///
    /// [`tidy`](Self::tidy) has to follow some time.
    #[inline]
    pub fn clear_if(&mut self, position: u64, condition: impl FnOnce(&T) -> bool) -> bool {
        let Some(value) = self
            .index(position)
            .and_then(|index| self.dense.get_mut(index))
        else {
            return false;
        };
        let clear = value.as_ref().is_some_and(condition);
        if clear {
            *value = None;
            self.live -= 1;
        }
        clear
    }

    /// Gives back the storage of what was removed.
    #[inline]
    pub fn tidy(&mut self) {
        if self.live == 0 {
            self.base = self.end();
            self.dense.clear();
        } else if let Some(None) = self.dense.front() {
            let free = self
                .dense
                .iter()
                .take_while(|value| value.is_none())
                .count();
            self.dense.drain(..free);
            self.base += free as u64;
        }
        if self.dense.len() > 2 * self.live + SLACK {
            self.compact();
        }
        if self.dense.capacity() > KEEP && self.dense.len() < self.dense.capacity() / 8 {
            self.dense.shrink_to(self.dense.len() * 2);
        }
    }

    /// Appends `count` copies of a value.
    #[inline]
    pub fn push_many(&mut self, value: T, count: usize)
    where
        T: Copy,
    {
        self.dense.reserve(count);
        for _ in 0..count {
            self.dense.push_back(Some(value));
        }
        self.live += count;
    }

    /// Sets the value of a position below the end.
    pub fn insert(&mut self, position: u64, value: T) {
        debug_assert!(position < self.end(), "only positions that were passed");
        let Some(index) = self.index(position) else {
            self.sparse.insert(position, value);
            return;
        };
        if let Some(slot) = self.dense.get_mut(index) {
            self.live += usize::from(slot.is_none());
            *slot = Some(value);
        }
    }

    /// The first value at or after `position`.
    #[must_use]
    pub fn next_from(&self, position: u64) -> Option<(u64, &T)> {
        self.iter_from(position).next()
    }

    /// Every value in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.iter_from(0)
    }

    /// Every value at or after `position`, in order.
    pub fn iter_from(&self, position: u64) -> impl Iterator<Item = (u64, &T)> {
        let start = self.start_of_dense(position);
        let first = self.base + start as u64;
        let dense = self.dense.range(start..).zip(first..);
        let dense = dense.filter_map(|(value, position)| Some((position, value.as_ref()?)));
        let sparse = self.sparse.range(position..);
        sparse
            .map(|(position, value)| (*position, value))
            .chain(dense)
    }

    /// Every value, to change, in order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        let dense = self.dense.iter_mut().zip(self.base..);
        let dense = dense.filter_map(|(value, position)| Some((position, value.as_mut()?)));
        let sparse = self.sparse.iter_mut();
        sparse
            .map(|(position, value)| (*position, value))
            .chain(dense)
    }

    /// The dense part from `position` on, holes included; `None` where `position` lies before it.
    #[inline]
    pub fn dense_from(&self, position: u64) -> Option<impl Iterator<Item = Option<&T>>> {
        let start = self.index(position)?.min(self.dense.len());
        Some(self.dense.range(start..).map(Option::as_ref))
    }

    fn start_of_dense(&self, position: u64) -> usize {
        self.index(position)
            .map_or(0, |index| index.min(self.dense.len()))
    }

    /// Moves stragglers at the front out of the way of the holes behind them.
    #[cold]
    fn compact(&mut self) {
        while self.dense.len() > 2 * self.live {
            let Some(front) = self.dense.pop_front() else {
                break;
            };
            if let Some(value) = front {
                self.sparse.insert(self.base, value);
                self.live -= 1;
            }
            self.base += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: u64) -> Positions<u64> {
        let mut map = Positions::default();
        (0..count).for_each(|value| map.push(value));
        map
    }

    fn remove(map: &mut Positions<u64>, position: u64) {
        map.clear(position);
        map.tidy();
    }

    #[test]
    fn values_are_found_by_position_after_others_are_gone() {
        let mut map = filled(5);
        remove(&mut map, 0);
        remove(&mut map, 2);
        remove(&mut map, 2);
        assert_eq!(map.get(1), Some(&1));
        assert_eq!(map.get(2), None);
        assert_eq!(map.get(9), None);
        assert_eq!(
            map.iter().map(|(position, _)| position).collect::<Vec<_>>(),
            [1, 3, 4]
        );
        assert_eq!(map.end(), 5);
    }

    #[test]
    fn a_straggler_does_not_keep_the_storage_of_those_after_it() {
        let mut map = filled(1);
        for position in 1..1_000_000 {
            map.push(position);
            remove(&mut map, position);
        }
        assert_eq!(map.len(), 1);
        assert_eq!(map.get(0), Some(&0));
        assert!(map.dense.capacity() <= KEEP * 2, "{}", map.dense.capacity());
        assert_eq!(map.iter_from(0).collect::<Vec<_>>(), [(0, &0)]);
        map.push(7);
        assert_eq!(map.next_from(1), Some((1_000_000, &7)));
    }

    #[test]
    fn storage_shrinks_when_a_backlog_is_gone() {
        let mut map = filled(1_000_000);
        (0..1_000_000).for_each(|position| {
            remove(&mut map, position);
        });
        assert_eq!(map.len(), 0);
        assert!(map.dense.capacity() <= KEEP, "{}", map.dense.capacity());
    }

    #[test]
    fn values_come_back_in_both_parts() {
        let mut map = filled(1);
        for position in 1..10_000 {
            map.push(position);
            remove(&mut map, position);
        }
        map.insert(5, 50);
        map.insert(9_999, 99);
        assert_eq!(
            map.iter().collect::<Vec<_>>(),
            [(0, &0), (5, &50), (9_999, &99)]
        );
        map.skip_to(20_000);
        assert_eq!(map.end(), 20_000);
        assert_eq!(map.len(), 3);
    }
}
