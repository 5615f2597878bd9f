//! How many messages each segment of the journal holds that are kept.

use std::collections::BTreeMap;

use super::log::Entry;

/// Kept messages by segment.
#[derive(Debug, Default)]
pub(super) struct Live {
    counts: BTreeMap<u64, u64>,
    /// Bytes of a segment.
    segment: u64,
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
        let segment = entry.lsn.get() / self.segment;
        *self.counts.entry(segment).or_default() += 1;
    }

    /// A message is not kept any longer.
    #[inline]
    pub(super) fn drop(&mut self, entry: &Entry) {
        if let Some(count) = self.counts.get_mut(&(entry.lsn.get() / self.segment)) {
            *count -= 1;
        }
    }

    pub(super) fn is_free(&self, segment: u64) -> bool {
        self.counts.get(&segment).is_none_or(|count| *count == 0)
    }

    /// The position in the journal at which a segment begins.
    pub(super) fn start(&self, segment: u64) -> u64 {
        segment * self.segment
    }
}
