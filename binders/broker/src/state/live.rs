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
        *self.counts.entry(segment).or_default() += 1;
    }

    /// A message is not kept any longer.
    #[inline]
    pub(super) fn drop(&mut self, entry: &Entry) {
        if entry.is_fleeting() {
            return self.gone.push(entry.lsn.get());
        }
        if let Some(count) = self.counts.get_mut(&(entry.lsn.get() / self.segment)) {
            *count -= 1;
        }
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
        self.counts.get(&segment).is_none_or(|count| *count == 0)
    }

    /// The position in the journal at which a segment begins.
    pub(super) fn start(&self, segment: u64) -> u64 {
        segment * self.segment
    }
}
