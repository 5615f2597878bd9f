//! Records that arrived together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{LaneId, Lanes, Record, outputs::Staging};

/// Records that arrived together, with the outputs made from them.
///
/// The loop uses the storage again once nobody holds a delivery of it; a handler that keeps one costs a new batch.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) records: Vec<Record>,
    /// Payload and key bytes of the records up to each, itself included.
    ends: Vec<u64>,
    content: Content,
    /// The turns of the records, where the binding has an order.
    pub(super) turns: Vec<Turn>,
    pub(super) lanes: Arc<Lanes>,
    staged: Mutex<Staging>,
}

/// Where the line is in which a delivery of an ordered binding waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn(u32);

impl Turn {
    /// It may run beside all others.
    pub(crate) const FREE: Self = Self(u32::MAX);

    /// In the line at this place.
    pub(crate) fn at(place: u32) -> Self {
        Self(place)
    }

    /// The place of the line.
    #[inline]
    pub(crate) fn place(self) -> Option<usize> {
        (self != Self::FREE).then_some(self.0 as usize)
    }
}

/// What is known of the records of a batch as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Content {
    /// The lane, where all are of one.
    pub(crate) lane: Option<LaneId>,
    /// Whether none has headers, rarer properties, or a time before which it is not to be handled.
    pub(crate) is_plain: bool,
}

impl Content {
    fn of(records: &[Record], ends: &mut Vec<u64>) -> Self {
        ends.clear();
        ends.resize(records.len(), 0);
        let lane = records.first().map(|record| record.lane);
        let mut bytes = 0;
        let is_usual = records.iter().zip(ends.iter_mut()).all(|(record, end)| {
            bytes += record.message.size() as u64;
            *end = bytes;
            Some(record.lane) == lane && Self::is_plain(record)
        });
        if is_usual {
            let is_plain = true;
            return Self { lane, is_plain };
        }
        Self::of_any(records, ends)
    }

    /// The same where not all are plain and of one lane.
    #[inline(never)]
    fn of_any(records: &[Record], ends: &mut Vec<u64>) -> Self {
        let lane = records.first().map(|record| record.lane);
        let (mut bytes, mut is_plain, mut is_one) = (0, true, true);
        ends.clear();
        ends.extend(records.iter().map(|record| {
            bytes += record.message.size() as u64;
            is_plain &= Self::is_plain(record);
            is_one &= Some(record.lane) == lane;
            bytes
        }));
        let lane = lane.filter(|_| is_one);
        Self { lane, is_plain }
    }

    #[inline(always)]
    fn is_plain(record: &Record) -> bool {
        record.due.is_none() && record.message.is_plain()
    }
}

impl Batch {
    /// A batch of records of these lanes.
    #[must_use]
    pub fn new(records: Vec<Record>, lanes: Arc<Lanes>) -> Self {
        let mut ends = Vec::new();
        Self {
            content: Content::of(&records, &mut ends),
            ends,
            turns: Vec::new(),
            records,
            lanes,
            staged: Mutex::default(),
        }
    }

    /// The records in order.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// How many of its deliveries may run beside all others, although the binding has an order.
    pub(crate) fn without_turn(&self) -> usize {
        let turns = self.turns.iter();
        turns.filter(|turn| **turn == Turn::FREE).count()
    }

    /// Payload and key bytes of so many records from this one on.
    pub(crate) fn bytes(&self, first: usize, count: usize) -> u64 {
        let before = |end: usize| end.checked_sub(1).map_or(0, |last| self.ends[last]);
        before(first + count) - before(first)
    }

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Takes `records` in, and gives the emptied storage of the old ones back in their place.
    pub(crate) fn refill(
        &mut self,
        records: &mut Vec<Record>,
        lanes: &Arc<Lanes>,
        turns: impl FnOnce(&[Record], &mut Vec<Turn>),
    ) {
        self.records.clear();
        std::mem::swap(&mut self.records, records);
        self.content = Content::of(&self.records, &mut self.ends);
        self.turns.clear();
        turns(&self.records, &mut self.turns);
        if !Arc::ptr_eq(&self.lanes, lanes) {
            self.lanes = lanes.clone();
        }
        self.staged
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    pub(super) fn staged(&self) -> MutexGuard<'_, Staging> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
