//! How many messages each segment of the journal holds that are kept.

use std::collections::BTreeMap;

use super::log::Entry;

/// Kept messages by segment.
#[derive(Debug, Default)]
pub(super) struct Live {
    counts: BTreeMap<u64, u64>,
    /// Messages that were in memory only, and are not kept any longer.
    gone: Vec<u64>,
    /// Bytes of a segment.
    segment: u64,
    /// The segment that messages came to last, and how many of them are not counted yet.
    added: (u64, u64),
    /// The segment that messages left last, and how many of them are not counted yet.
    dropped: (u64, u64),
}

impl Live {
    pub(super) fn new(segment: u64) -> Self {
        Self {
            segment,
            ..Self::default()
        }
    }

    /// A message is kept.
    #[inline]
    pub(super) fn add(&mut self, entry: &Entry) {
        if entry.is_fleeting() {
            return;
        }
        let segment = entry.lsn.get() / self.segment;
        if segment != self.added.0 {
            self.count();
            self.added.0 = segment;
        }
        self.added.1 += 1;
    }

    /// So many messages are kept, one behind the other.
    pub(super) fn add_run(&mut self, first: &Entry, count: u64) {
        if first.is_fleeting() {
            return;
        }
        let (mut lsn, mut left, len) = (first.lsn.get(), count, u64::from(first.len));
        while left > 0 {
            let segment = lsn / self.segment;
            let room = self.segment - lsn % self.segment;
            let here = room.div_ceil(len.max(1)).min(left);
            *self.counts.entry(segment).or_default() += here;
            left -= here;
            lsn = lsn.saturating_add(here * len);
        }
    }

    /// A message is not kept any longer.
    #[inline]
    pub(super) fn drop(&mut self, entry: &Entry) {
        if entry.is_fleeting() {
            return self.gone.push(entry.lsn.get());
        }
        let segment = entry.lsn.get() / self.segment;
        if segment != self.dropped.0 {
            self.count();
            self.dropped.0 = segment;
        }
        self.dropped.1 += 1;
    }

    /// Counts what is not counted yet: messages next to each other lie in one segment.
    #[cold]
    fn count(&mut self) {
        if self.added.1 > 0 {
            *self.counts.entry(self.added.0).or_default() += self.added.1;
            self.added.1 = 0;
        }
        if let Some(count) = self.counts.get_mut(&self.dropped.0) {
            *count -= self.dropped.1.min(*count);
        }
        self.dropped.1 = 0;
    }

    fn of(&self, segment: u64) -> u64 {
        let counted = self.counts.get(&segment).copied().unwrap_or(0);
        let pending = |(number, count): (u64, u64)| if number == segment { count } else { 0 };
        (counted + pending(self.added)).saturating_sub(pending(self.dropped))
    }

    /// A message in memory is not kept after all.
    pub(super) fn forget(&mut self, place: u64) {
        self.gone.push(place);
    }

    /// The places of messages that were in memory only and have gone since this was asked last.
    pub(super) fn take_gone(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.gone)
    }

    pub(super) fn is_free(&self, segment: u64) -> bool {
        self.of(segment) == 0
    }

    /// The first segment that holds kept messages and of which this is true.
    pub(super) fn find(&self, condition: impl Fn(u64) -> bool) -> Option<u64> {
        let counted = self.counts.keys().copied();
        let all = counted.chain([self.added.0]);
        all.filter(|segment| !self.is_free(*segment) && condition(*segment))
            .min()
    }

    /// The position in the journal at which a segment begins.
    pub(super) fn start(&self, segment: u64) -> u64 {
        segment * self.segment
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    fn entry(segment: u64) -> Entry {
        Entry {
            lsn: NonZeroU64::new(segment * 100 + 64).unwrap(),
            key: 0,
            len: 1,
            marks: 0,
        }
    }

    #[test]
    fn a_run_counts_like_its_messages() {
        for (from, len, count) in [
            (64, 7, 40),
            (100, 100, 3),
            (99, 1, 2),
            (5, 250, 4),
            (6, 0, 3),
        ] {
            let (mut one, mut all) = (Live::new(100), Live::new(100));
            let mut next = Entry {
                lsn: NonZeroU64::new(from).unwrap(),
                len,
                ..entry(0)
            };
            all.add_run(&next, count);
            for _ in 0..count {
                one.add(&next);
                next.lsn = next.lsn.saturating_add(u64::from(len));
            }
            for segment in 0..12 {
                assert_eq!(all.of(segment), one.of(segment), "{from} {len} {segment}");
            }
        }
    }

    #[test]
    fn a_segment_is_free_when_the_last_of_its_messages_is_gone() {
        let mut live = Live::new(100);
        for segment in [0, 0, 3, 3, 1, 3] {
            live.add(&entry(segment));
        }
        assert_eq!(live.find(|segment| segment > 1), Some(3));
        for (segment, left) in [(3, 2), (0, 1), (3, 1), (1, 0), (3, 0), (0, 0)] {
            live.drop(&entry(segment));
            assert_eq!(live.of(segment), left);
        }
        assert!((0..5).all(|segment| live.is_free(segment)));
        assert_eq!(live.find(|_| true), None);
    }
}
