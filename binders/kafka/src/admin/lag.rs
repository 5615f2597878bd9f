//! How far a group is behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::{Duration, SystemTime},
};

use mq_core::{binder::Lag, binding::settled_above, error::Result};

use super::{
    KafkaAdmin,
    ends::Ends,
    reader::{Found, Span},
};
use crate::consumer::{Committed, saved_of};

/// A partition in which at most so many positions are open is counted message by message: markers of transactions, and what was
/// compacted away, have positions too.
const EXACT: u64 = 64;

/// A partition in which a group has something before it.
struct Behind {
    position: u64,
    end: u64,
    /// What is settled above the position.
    settled: Vec<Range<u64>>,
}

impl Behind {
    fn is_exact(&self) -> bool {
        self.end - self.position <= EXACT
    }

    fn is_open(&self, position: u64) -> bool {
        !self.settled.iter().any(|range| range.contains(&position))
    }

    fn span(&self) -> Span {
        Span {
            next: self.position,
            end: self.end,
            most: if self.is_exact() { usize::MAX } else { 1 },
        }
    }

    /// The messages that are not settled, as far as positions tell.
    fn positions(&self) -> u64 {
        let settled = self
            .settled
            .iter()
            .map(|range| range.end.min(self.end).saturating_sub(range.start));
        (self.end - self.position).saturating_sub(settled.sum())
    }
}

impl KafkaAdmin {
    pub(super) fn lag_of(&self, topic: &str, group: &str) -> Result<Lag> {
        let known = self.known(topic, group)?;
        let ends = self.ends("asking for positions", topic)?;
        let behind = behind(topic, &known, &ends);
        let mut spans: BTreeMap<i32, Span> =
            behind.iter().map(|(p, one)| (*p, one.span())).collect();
        let found = self.read(topic, &mut spans, usize::MAX)?;
        Ok(lag(&behind, &found))
    }
}

fn behind(topic: &str, known: &Committed, ends: &[Ends]) -> BTreeMap<i32, Behind> {
    let mut all = BTreeMap::new();
    for (ends, partition) in ends.iter().zip(0..) {
        let known = known.get(&(topic.to_owned(), partition));
        let position = known.map_or(ends.low, |known| known.position).max(ends.low);
        if position >= ends.high {
            continue;
        }
        let saved = known.and_then(|known| saved_of(&known.metadata));
        let settled = saved
            .map(|saved| settled_above(&saved, position))
            .unwrap_or_default();
        let end = ends.high;
        all.insert(
            partition,
            Behind {
                position,
                end,
                settled,
            },
        );
    }
    all
}

fn lag(behind: &BTreeMap<i32, Behind>, found: &[Found]) -> Lag {
    let mut exact: BTreeMap<i32, u64> = BTreeMap::new();
    let mut oldest: Option<SystemTime> = None;
    let mut seen = BTreeSet::new();
    for one in found {
        let partition = i32::try_from(one.partition).unwrap_or(i32::MAX);
        seen.insert(partition);
        let Some(place) = behind.get(&partition) else {
            continue;
        };
        if place.is_exact() && !place.is_open(one.position) {
            continue;
        }
        *exact.entry(partition).or_default() += 1;
        let time = one.message.as_timestamp();
        oldest = match (oldest, time) {
            (Some(oldest), Some(time)) => Some(oldest.min(time)),
            (oldest, time) => oldest.or(time),
        };
    }
    let count = |(partition, place): (&i32, &Behind)| match seen.contains(partition) {
        true if !place.is_exact() => place.positions(),
        _ => exact.get(partition).copied().unwrap_or_default(),
    };
    Lag::new(behind.iter().map(count).sum(), oldest.map(age))
}

fn age(time: SystemTime) -> Duration {
    SystemTime::now().duration_since(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use mq_core::message::Message;

    use super::*;

    fn place(position: u64, end: u64, settled: &[Range<u64>]) -> Behind {
        Behind {
            position,
            end,
            settled: settled.to_vec(),
        }
    }

    fn found(positions: &[u64]) -> Vec<Found> {
        let one = |position: &u64| Found {
            partition: 0,
            position: *position,
            message: Message::new("x").timestamp(SystemTime::now() - Duration::from_secs(5)),
        };
        positions.iter().map(one).collect()
    }

    fn messages(place: Behind, positions: &[u64]) -> u64 {
        lag(&BTreeMap::from([(0, place)]), &found(positions)).messages
    }

    #[test]
    fn few_messages_are_counted_one_by_one() {
        assert_eq!(
            messages(place(10, 13, &[]), &[10, 11]),
            2,
            "a marker is no message"
        );
        assert_eq!(
            messages(place(10, 11, &[]), &[]),
            0,
            "only a marker is left"
        );
        assert_eq!(
            messages(
                place(10, 14, std::slice::from_ref(&(11..13))),
                &[10, 11, 12, 13]
            ),
            2
        );
    }

    #[test]
    fn many_are_counted_by_their_positions() {
        assert_eq!(messages(place(0, 1_000, &[]), &[0]), 1_000);
        assert_eq!(
            messages(place(0, 1_000, std::slice::from_ref(&(1..501))), &[0]),
            500
        );
        assert_eq!(
            messages(place(0, 1_000, &[]), &[]),
            0,
            "nothing is there but markers"
        );
    }

    #[test]
    fn the_oldest_is_as_old_as_its_timestamp_says() {
        let lag = lag(&BTreeMap::from([(0, place(0, 1, &[]))]), &found(&[0]));
        assert!(lag.oldest.is_some_and(|age| age >= Duration::from_secs(5)));
    }
}
