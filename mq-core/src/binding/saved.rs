//! What is saved beside a committed position: settled and held positions above it.
//!
//! Layout, version 1: `1`, number of settled ranges, each as distance and length, number of held messages, each as distance,
//! attempts and due time in milliseconds; all numbers are LEB128, distances count from the previous entry's end.
//! A reader of version n reads n - 1 and refuses n + 1, in which case the messages are handled again.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;

use super::tracker::Held;
use crate::binder::varint::{put, take};

const VERSION: u64 = 1;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) settled: BTreeSet<u64>,
    pub(super) held: BTreeMap<u64, Held>,
}

impl Saved {
    /// Bytes of one held message at most.
    pub(super) const HELD: usize = 16;

    pub(super) fn is_empty(&self) -> bool {
        self.settled.is_empty() && self.held.is_empty()
    }

    /// Whether there is an entry at this position or behind it.
    pub(super) fn reaches(&self, position: u64) -> bool {
        let (settled, held) = (self.settled.last(), self.held.last_key_value());
        let last = settled.max(held.map(|(position, _)| position));
        last.is_some_and(|last| *last >= position)
    }

    pub(super) fn encode(&self, low: u64) -> Bytes {
        let mut bytes = Vec::new();
        put(&mut bytes, VERSION);
        let ranges = self.ranges();
        put(&mut bytes, ranges.len() as u64);
        let mut end = low;
        for (start, length) in ranges {
            put(&mut bytes, start.saturating_sub(end));
            put(&mut bytes, length);
            end = start + length;
        }
        put(&mut bytes, self.held.len() as u64);
        let mut end = low;
        for (position, held) in &self.held {
            put(&mut bytes, position.saturating_sub(end));
            put(&mut bytes, u64::from(held.attempts));
            put(&mut bytes, millis(held.due));
            end = position + 1;
        }
        bytes.into()
    }

    fn ranges(&self) -> Vec<(u64, u64)> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for position in &self.settled {
            match ranges.last_mut() {
                Some((start, length)) if *start + *length == *position => *length += 1,
                _ => ranges.push((*position, 1)),
            }
        }
        ranges
    }

    /// `None` if the bytes are of another version or damaged.
    pub(super) fn decode(mut bytes: &[u8], low: u64) -> Option<Self> {
        let bytes = &mut bytes;
        if take(bytes)? != VERSION {
            return None;
        }
        let mut saved = Self::default();
        let mut end = low;
        for _ in 0..take(bytes)? {
            let start = end.checked_add(take(bytes)?)?;
            let length = take(bytes)?;
            // A lane's window is bounded; more is damage, and must not fill the memory.
            if length > 1 << 20 {
                return None;
            }
            end = start.checked_add(length)?;
            saved.settled.extend(start..end);
        }
        let mut end = low;
        for _ in 0..take(bytes)? {
            let position = end.checked_add(take(bytes)?)?;
            let attempts = u32::try_from(take(bytes)?).ok()?;
            let due = UNIX_EPOCH.checked_add(Duration::from_millis(take(bytes)?))?;
            saved.held.insert(position, Held { attempts, due });
            end = position.checked_add(1)?;
        }
        bytes.is_empty().then_some(saved)
    }
}

/// What is settled above a committed position, by what was saved beside it: for a binder that counts what a group has before it.
/// Nothing if the bytes are of another version or damaged.
#[must_use]
pub fn settled_above(saved: &[u8], position: u64) -> Vec<Range<u64>> {
    let Some(saved) = Saved::decode(saved, position) else {
        return Vec::new();
    };
    let ranges = saved.ranges().into_iter();
    ranges
        .map(|(start, length)| start..start + length)
        .collect()
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_comes_back() {
        let held = Held {
            attempts: 5,
            due: UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        };
        let saved = Saved {
            settled: [101, 102, 103, 900].into(),
            held: [(100, held), (500, held)].into(),
        };
        let bytes = saved.encode(100);
        assert!(bytes.len() < 40, "{}", bytes.len());
        assert_eq!(settled_above(&bytes, 100), [101..104, 900..901]);
        assert_eq!(Saved::decode(&bytes, 100), Some(saved));
    }

    #[test]
    fn damage_and_other_versions_are_refused() {
        let bytes = Saved {
            settled: [7].into(),
            held: BTreeMap::new(),
        }
        .encode(3);
        for cut in 0..bytes.len() {
            assert_eq!(Saved::decode(&bytes[..cut], 3), None);
        }
        assert_eq!(Saved::decode(&[2, 0, 0], 3), None);
        assert_eq!(
            Saved::decode(&[1, 1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0], 3),
            None
        );
    }
}
