//! Counting messages from a position on, without looking at each.

use mq_core::binder::Positions;

/// Positions that are counted together, as a power of 2.
const BLOCK: u32 = 12;

/// How many messages there are in each block of positions.
#[derive(Debug, Default)]
pub(super) struct Tally(Positions<u32>);

impl Tally {
    /// One more; positions only rise.
    #[inline]
    pub(super) fn add(&mut self, position: u64) {
        let block = position >> BLOCK;
        match self.0.get_mut(block) {
            Some(count) => *count += 1,
            None => self.begin(block),
        }
    }

    #[cold]
    fn begin(&mut self, block: u64) {
        if let Some(last) = self.0.end().checked_sub(1) {
            self.drop_empty(last);
        }
        self.0.put(block, 1);
    }

    /// One less.
    #[inline]
    pub(super) fn sub(&mut self, position: u64) {
        let block = position >> BLOCK;
        let Some(count) = self.0.get_mut(block) else {
            debug_assert!(false, "what was not counted");
            return;
        };
        *count -= 1;
        // The last block is still being filled.
        if *count == 0 && block + 1 < self.0.end() {
            self.drop_empty(block);
        }
    }

    fn drop_empty(&mut self, block: u64) {
        if self.0.get(block) == Some(&0) {
            self.0.clear(block);
            self.0.tidy();
        }
    }

    /// Where the block of `position` ends, and how many there are behind it.
    pub(super) fn behind(&self, position: u64) -> (u64, u64) {
        let next = (position >> BLOCK) + 1;
        let behind = self.0.iter_from(next);
        let sum = behind.map(|(_, count)| u64::from(*count)).sum();
        (next << BLOCK, sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_counted_as_messages_come_and_go() {
        let mut tally = Tally::default();
        for position in 5_000..15_000 {
            tally.add(position);
        }
        assert_eq!(tally.behind(0), (4_096, 10_000));
        assert_eq!(tally.behind(5_000), (8_192, 15_000 - 8_192));
        for position in 5_000..9_000 {
            tally.sub(position);
        }
        assert_eq!(tally.behind(8_191), (8_192, 6_000));
        assert_eq!(tally.behind(1 << 40).1, 0);
        (9_000..15_000).for_each(|position| tally.sub(position));
        tally.add(1 << 50);
        assert_eq!((tally.0.len(), tally.behind(0).1), (1, 1));
    }
}
