//! Parts of the journal's files, read for one consumer: what lies behind a message is often what is asked for next.

use bytes::Bytes;

use crate::{record::is_intact, state::Pick};

/// Bytes that are read at a time, at most, unless one record alone has more.
const MOST: u64 = 512 << 10;
/// Bytes that are read for a single message of which nobody knows whether others are asked for.
const LEAST: u64 = 16 << 10;

/// A part of a file. The default is an empty one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunk {
    start: u64,
    bytes: Bytes,
}

impl Chunk {
    /// What was read from `start` on.
    pub(super) fn new(start: u64, bytes: Bytes) -> Self {
        Self { start, bytes }
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn contains(&self, pick: &Pick) -> bool {
        pick.lsn >= self.start && pick.lsn + u64::from(pick.len) <= self.end()
    }

    /// The record, if it is in here as it was written.
    ///
    /// What was read ahead may have been read before it was there.
    pub(super) fn record(&self, pick: &Pick) -> Option<Bytes> {
        let from = usize::try_from(pick.lsn.checked_sub(self.start)?).ok()?;
        let to = from.checked_add(pick.len as usize)?;
        let record = self.bytes.get(from..to)?;
        is_intact(record).then(|| self.bytes.slice(from..to))
    }

    /// Whether another chunk would hold more of these.
    pub(super) fn is_poor(&self, picks: &[Pick]) -> bool {
        match picks {
            [first, ..] if !self.contains(first) => true,
            [first, .., last] => !self.contains(last) && span(first, last) <= MOST,
            _ => false,
        }
    }

    /// How much is to be read for these, instead of this chunk: more each time while the reader goes on and on.
    pub(super) fn next_len(&self, picks: &[Pick]) -> u64 {
        let [first, ..] = picks else { return 0 };
        let last = picks.last().unwrap_or(first);
        let wanted = if last.lsn >= first.lsn {
            span(first, last)
        } else {
            LEAST
        };
        let goes_on = (self.start..=self.end()).contains(&first.lsn) && !self.bytes.is_empty();
        let ahead = if goes_on {
            2 * self.bytes.len() as u64
        } else {
            LEAST
        };
        wanted.max(ahead).min(MOST).max(u64::from(first.len))
    }

    /// The buffer, if nobody reads it any more.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        let mut buffer = self.bytes.try_into_mut().map(Vec::from).unwrap_or_default();
        buffer.clear();
        buffer
    }
}

/// Bytes from the beginning of one record to the end of another.
fn span(first: &Pick, last: &Pick) -> u64 {
    (last.lsn + u64::from(last.len)).saturating_sub(first.lsn)
}
