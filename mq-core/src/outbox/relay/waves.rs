//! The order in which the rows of a batch are sent.

use std::collections::HashSet;

use super::Pipeline;
use crate::outbox::{OrderKey, OutboxRow};

/// Hands a batch out in waves: all rows of a wave are sent together, and the next wave after the broker has answered.
///
/// With [`Pipeline::Confirmed`] a wave has the first row of each key; with [`Pipeline::Through`] it has everything.
/// Rows of a key that has failed are not handed out any more.
#[derive(Debug)]
pub(super) struct Waves {
    rows: Vec<OutboxRow>,
    failed: HashSet<OrderKey>,
    pipeline: Pipeline,
}

impl Waves {
    /// These rows, in the order of their numbers.
    pub(super) fn new(mut rows: Vec<OutboxRow>, pipeline: Pipeline) -> Self {
        rows.sort_by_key(|row| row.id);
        Self {
            rows,
            failed: HashSet::new(),
            pipeline,
        }
    }

    /// The next wave; empty at the end.
    pub(super) fn next(&mut self) -> Vec<OutboxRow> {
        let mut keys = HashSet::new();
        let (mut wave, mut rest) = (Vec::new(), Vec::new());
        for row in std::mem::take(&mut self.rows) {
            if self.failed.contains(&row.key) {
                continue;
            }
            if keys.insert(row.key) || self.pipeline == Pipeline::Through {
                wave.push(row);
            } else {
                rest.push(row);
            }
        }
        self.rows = rest;
        wave
    }

    /// Whether nothing is left to hand out.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Stops a key; returns whether it was not stopped before.
    pub(super) fn fail(&mut self, key: OrderKey) -> bool {
        self.failed.insert(key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::{
        message::Message,
        outbox::{OutboxMessage, RowId},
    };

    fn row(id: u64, key: &'static str) -> OutboxRow {
        let message = OutboxMessage::new("orders", Message::new("x").key(key));
        OutboxRow {
            id: RowId(id),
            partition: 0,
            key: OrderKey::of(&message),
            message,
            attempts: 0,
            wait: Duration::ZERO,
            created: SystemTime::UNIX_EPOCH,
        }
    }

    fn rows() -> Vec<OutboxRow> {
        vec![row(4, "B"), row(1, "A"), row(3, "A"), row(2, "A")]
    }

    fn ids(wave: &[OutboxRow]) -> Vec<u64> {
        wave.iter().map(|row| row.id.0).collect()
    }

    #[test]
    fn a_wave_has_one_row_of_each_key() {
        let mut waves = Waves::new(rows(), Pipeline::Confirmed);
        let order: Vec<_> = (0..4).map(|_| ids(&waves.next())).collect();
        assert_eq!(order, [vec![1, 4], vec![2], vec![3], vec![]]);
    }

    #[test]
    fn a_failed_key_ends_there() {
        let mut waves = Waves::new(rows(), Pipeline::Confirmed);
        let first = waves.next();
        assert!(waves.fail(first[0].key));
        assert!(!waves.fail(first[0].key));
        assert!(waves.next().is_empty());
    }

    #[test]
    fn without_waiting_everything_goes_at_once_in_order() {
        let mut waves = Waves::new(rows(), Pipeline::Through);
        assert_eq!(ids(&waves.next()), [1, 2, 3, 4]);
        assert!(waves.next().is_empty());
    }
}
