//! Looking at messages without a group.

use std::collections::{BTreeMap, BTreeSet};

use mq_core::{
    binder::{Browsed, Cursor},
    error::{ErrorKind, Result},
};

use super::{KafkaAdmin, reader::Span};
use crate::consumer::Place;

impl KafkaAdmin {
    /// Up to `max` messages from `cursor` on, and where the next page begins: the next position of each partition.
    pub(super) fn page(
        &self,
        topic: &str,
        cursor: Cursor,
        max: usize,
    ) -> Result<(Vec<Browsed>, Cursor)> {
        let ends = self.ends("browsing", topic)?;
        let is_first = cursor.0.is_empty();
        let mut next = cursor.0;
        next.resize(ends.len(), 0);
        for (next, ends) in next.iter_mut().zip(&ends) {
            *next = (*next).clamp(ends.low, ends.high.max(ends.low));
        }
        let mut spans: BTreeMap<i32, Span> = next
            .iter()
            .zip(&ends)
            .zip(0..)
            .map(|((next, ends), partition)| (partition, span(*next, ends.high, max)))
            .collect();
        let found = self.read(topic, &mut spans, max)?;
        for (partition, span) in &spans {
            if let Some(next) = usize::try_from(*partition)
                .ok()
                .and_then(|index| next.get_mut(index))
            {
                *next = span.next;
            }
        }
        if found.is_empty() {
            return Ok((Vec::new(), Cursor(next)));
        }
        let handled = match self.handled(topic, is_first) {
            // Whoever may not read the marks sees all messages as open.
            Err(error) if error.kind() == ErrorKind::Unauthorized => BTreeMap::new(),
            handled => handled?,
        };
        let browsed = found.into_iter().map(|one| Browsed {
            handled: handled
                .get(&one.partition)
                .is_some_and(|marks| marks.has(one.position)),
            partition: one.partition,
            position: one.position,
            message: one.message,
        });
        Ok((browsed.collect(), Cursor(next)))
    }
}

impl KafkaAdmin {
    /// Reads where the first partition of a topic ends; blocks.
    ///
    /// # Errors
    /// The topic may not be read, or the cluster does not answer.
    pub(crate) fn may_read(&self, topic: &str) -> Result<()> {
        let place = (topic.to_owned(), 0);
        let ends = self.ends_of("reading", &BTreeSet::from([place]))?;
        let end = ends.first().map_or(0, |ends| ends.high);
        let mut spans = BTreeMap::from([(0, span(end, end + 1, 1))]);
        self.read(topic, &mut spans, 1).map(drop)
    }

    /// Whether there is a committed message of a partition at or behind `next` and before `end`; blocks.
    pub(crate) fn has_message(&self, place: &Place, next: u64, end: u64) -> Result<bool> {
        let (topic, partition) = place;
        let mut spans = BTreeMap::from([(*partition, span(next, end, 1))]);
        Ok(!self.read(topic, &mut spans, 1)?.is_empty())
    }
}

fn span(next: u64, end: u64, most: usize) -> Span {
    Span { next, end, most }
}
