//! Positions that were dealt with, as text beside a committed position.
//!
//! Layout, version 1: `mq-handled:1:`, the day on which it was written (days since the Unix epoch), `:`, and in base 64 the ranges
//! above the committed position, each as distance from the end of the one before and length, as LEB128.
//! Everything below the committed position was dealt with too.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use mq_core::binder::varint::{put, take};

use crate::consumer::METADATA;

/// What stands before the version.
const PREFIX: &str = "mq-handled:";
const VERSION: &str = "1";

/// The positions of a partition that were dealt with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Everything below.
    pub(super) base: u64,
    /// The day on which this was written.
    pub(super) day: u64,
    /// Ranges above, by their first position; they neither touch nor overlap.
    above: BTreeMap<u64, u64>,
}

impl Marks {
    pub(super) fn new(base: u64) -> Self {
        Self {
            base,
            ..Self::default()
        }
    }

    pub(super) fn has(&self, position: u64) -> bool {
        let before = self.above.range(..=position).next_back();
        position < self.base || before.is_some_and(|(_, end)| position < *end)
    }

    pub(super) fn add(&mut self, position: u64) {
        if self.has(position) {
            return;
        }
        let end = self.above.remove(&(position + 1)).unwrap_or(position + 1);
        let before = self.above.range(..position).next_back();
        let start = match before {
            Some((start, until)) if *until == position => *start,
            _ => position,
        };
        self.above.insert(start, end);
        self.settle();
    }

    /// The partition begins here now.
    pub(super) fn begin(&mut self, low: u64) {
        self.base = self.base.max(low);
        self.settle();
    }

    /// Moves the base over what follows it.
    fn settle(&mut self) {
        while let Some((start, end)) = self.above.first_key_value().map(|(s, e)| (*s, *e)) {
            if start > self.base {
                return;
            }
            self.base = self.base.max(end);
            self.above.pop_first();
        }
    }

    /// The text beside the base; `None` if it does not fit.
    pub(super) fn encode(&self, day: u64) -> Option<String> {
        let mut bytes = Vec::new();
        let mut last = self.base;
        for (start, end) in &self.above {
            put(&mut bytes, start - last);
            put(&mut bytes, end - start);
            last = *end;
        }
        let ranges = BASE64_STANDARD_NO_PAD.encode(bytes);
        let text = format!("{PREFIX}{VERSION}:{day}:{ranges}");
        (text.len() <= METADATA).then_some(text)
    }

    /// What was written beside `base`; `Err` with its version if it is of a newer one, nothing above it if it is damaged.
    pub(super) fn decode(base: u64, text: &str) -> Result<Self, String> {
        let mut marks = Self::new(base);
        let Some((version, rest)) = text.strip_prefix(PREFIX).and_then(|t| t.split_once(':'))
        else {
            return Ok(marks);
        };
        if version != VERSION {
            return Err(version.to_owned());
        }
        let (day, ranges) = rest.split_once(':').unwrap_or((rest, ""));
        marks.day = day.parse().unwrap_or_default();
        let bytes = BASE64_STANDARD_NO_PAD.decode(ranges).unwrap_or_default();
        let (bytes, mut last) = (&mut &bytes[..], base);
        while let (Some(distance), Some(length)) = (take(bytes), take(bytes)) {
            let Some((start, end)) = span(last, distance, length) else {
                break;
            };
            marks.above.insert(start, end);
            last = end;
        }
        Ok(marks)
    }
}

fn span(last: u64, distance: u64, length: u64) -> Option<(u64, u64)> {
    let start = last.checked_add(distance)?;
    Some((start, start.checked_add(length)?))
}

/// Days since the Unix epoch.
pub(super) fn today() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs() / 86_400
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(base: u64, positions: impl IntoIterator<Item = u64>) -> Marks {
        let mut marks = Marks::new(base);
        positions
            .into_iter()
            .for_each(|position| marks.add(position));
        marks
    }

    #[test]
    fn marks_are_found_again_in_any_order() {
        let marks = marked(10, [14, 12, 13, 20, 14]);
        for position in 0..30 {
            let expected = position < 10 || [12, 13, 14, 20].contains(&position);
            assert_eq!(marks.has(position), expected, "{position}");
        }
        assert_eq!(marks.above.len(), 2);
    }

    #[test]
    fn the_base_moves_over_what_follows_it() {
        let mut marks = marked(10, [11, 10, 13]);
        assert_eq!((marks.base, marks.above.len()), (12, 1));
        marks.begin(13);
        assert_eq!((marks.base, marks.above.len()), (14, 0));
    }

    #[test]
    fn the_text_comes_back_and_is_bounded() {
        let marks = marked(5, [9, 7, 300, 301]);
        let text = marks.encode(20_000).expect("it fits");
        let found = Marks::decode(5, &text).expect("this version");
        assert_eq!((found.day, &found.above), (20_000, &marks.above));
        assert_eq!(marked(0, (1..10_000).map(|n| n * 2)).encode(1), None);
    }

    #[test]
    fn other_text_marks_nothing_and_a_newer_version_is_refused() {
        assert_eq!(Marks::decode(3, "somebody else's"), Ok(Marks::new(3)));
        assert_eq!(
            Marks::decode(3, "mq-handled:1:7:%%"),
            Ok(Marks {
                day: 7,
                ..Marks::new(3)
            })
        );
        assert_eq!(Marks::decode(3, "mq-handled:2:x"), Err("2".to_owned()));
    }
}
