//! What the thread has received and the loop has not taken yet.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mq_core::binder::{Event, LaneId, Record};
use tokio::sync::Notify;

/// The thread stops reading beyond so many records.
const RECORDS: usize = 16_384;
/// The thread stops reading beyond so many bytes of payload.
const BYTES: usize = 16 << 20;
/// Emptied storage that is kept for the next batches.
const SPARES: usize = 64;

#[derive(Debug)]
enum Item {
    Event(Event),
    /// Never empty; all of one lane.
    Records(Batch),
}

/// Records, and how many bytes they hold.
#[derive(Debug)]
struct Batch {
    records: Vec<Record>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    items: VecDeque<Item>,
    records: usize,
    bytes: usize,
    spares: Vec<Vec<Record>>,
    /// The thread waits for room.
    is_awaited: bool,
    /// The lane whose turn it was.
    last: Option<LaneId>,
}

impl Inner {
    fn is_full(&self) -> bool {
        self.records >= RECORDS || self.bytes >= BYTES
    }

    /// Whether so much is gone that it is worth waking whoever waits for room.
    fn has_room(&self) -> bool {
        self.records < RECORDS / 2 && self.bytes < BYTES / 2
    }
}

/// Events and records in order.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    arrived: Notify,
    room: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push_event(&self, event: Event) {
        self.lock().items.push_back(Item::Event(event));
        self.arrived.notify_one();
    }

    /// Takes a batch in, and gives storage for the next one; [`announce`](Self::announce) tells the loop.
    pub(crate) fn push_records(&self, records: Vec<Record>) -> Vec<Record> {
        let bytes = bytes(&records);
        let mut inner = self.lock();
        inner.records += records.len();
        inner.bytes += bytes;
        inner
            .items
            .push_back(Item::Records(Batch { records, bytes }));
        inner.spares.pop().unwrap_or_default()
    }

    /// Tells the loop of batches that were taken in, of several at once: waking it costs more than a message.
    pub(crate) fn announce(&self) {
        self.arrived.notify_one();
    }

    /// Takes what is at the front: an event, or at most `max` records.
    pub(crate) fn take(&self, records: &mut Vec<Record>, max: usize) -> Option<Event> {
        let mut inner = self.lock();
        let event = match inner.next()? {
            Next::Event => match inner.items.pop_front() {
                Some(Item::Event(event)) => event,
                _ => return None,
            },
            Next::Records(index) => {
                inner.hand_over(index, records, max);
                Event::Messages
            }
        };
        if inner.is_awaited && inner.has_room() {
            inner.is_awaited = false;
            drop(inner);
            self.room.notify_one();
        }
        Some(event)
    }

    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Whether the thread has to wait before it reads more; waits for at most `patience`.
    pub(crate) fn wait_for_room(&self, patience: Duration) -> bool {
        let mut inner = self.lock();
        if !inner.is_full() {
            return true;
        }
        inner.is_awaited = true;
        let waited = self.room.wait_timeout(inner, patience);
        let (mut inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        inner.is_awaited = false;
        !inner.is_full()
    }

    /// Whether reading may begin again after it was stopped.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().has_room()
    }

    pub(crate) fn wake_thread(&self) {
        self.room.notify_all();
    }

    /// Removes what came of these lanes; returns the lowest position of each that is gone.
    pub(crate) fn purge(&self, lanes: &[LaneId]) -> Vec<(LaneId, u64)> {
        let mut inner = self.lock();
        let mut lowest: Vec<(LaneId, u64)> = Vec::new();
        for item in &mut inner.items {
            let Item::Records(batch) = item else {
                continue;
            };
            batch.records.retain(|record| {
                let stays = !lanes.contains(&record.lane);
                if !stays && lowest.iter().all(|(lane, _)| *lane != record.lane) {
                    lowest.push((record.lane, record.position));
                }
                stays
            });
        }
        inner.recount();
        lowest
    }

    /// Removes everything.
    pub(crate) fn clear(&self) {
        let mut inner = self.lock();
        inner.items.clear();
        inner.recount();
    }
}

/// What is taken next.
enum Next {
    /// The event at the front.
    Event,
    /// The batch of this index.
    Records(usize),
}

impl Inner {
    /// Lanes take turns, so that a busy one does not starve another; nothing passes an event.
    fn next(&self) -> Option<Next> {
        let until_event = self.items.iter().map_while(|item| match item {
            Item::Records(batch) => Some(batch.records.first().map(|record| record.lane)),
            Item::Event(_) => None,
        });
        let mut lanes = until_event.enumerate();
        let Some((_, first)) = lanes.next() else {
            return self.items.front().map(|_| Next::Event);
        };
        if first != self.last {
            return Some(Next::Records(0));
        }
        let other = lanes.find(|(_, lane)| *lane != self.last);
        Some(Next::Records(other.map_or(0, |(index, _)| index)))
    }

    fn hand_over(&mut self, index: usize, into: &mut Vec<Record>, max: usize) {
        let Some(Item::Records(batch)) = self.items.get_mut(index) else {
            return;
        };
        let records = &mut batch.records;
        self.last = records.first().map(|record| record.lane);
        let start = into.len();
        let taken = if records.len() > max {
            into.extend(records.drain(..max));
            bytes(&into[start..])
        } else {
            if into.is_empty() {
                std::mem::swap(into, records);
            } else {
                into.append(records);
            }
            batch.bytes
        };
        batch.bytes -= taken;
        let is_empty = records.is_empty();
        self.records -= into.len() - start;
        self.bytes -= taken;
        if is_empty {
            self.retire(index);
        }
    }

    /// Keeps the storage of an emptied batch.
    fn retire(&mut self, index: usize) {
        if let Some(Item::Records(batch)) = self.items.remove(index)
            && self.spares.len() < SPARES
        {
            let mut storage = batch.records;
            storage.clear();
            self.spares.push(storage);
        }
    }

    fn recount(&mut self) {
        let is_something =
            |item: &Item| !matches!(item, Item::Records(batch) if batch.records.is_empty());
        self.items.retain(is_something);
        (self.records, self.bytes) = (0, 0);
        for item in &mut self.items {
            if let Item::Records(batch) = item {
                batch.bytes = bytes(&batch.records);
                self.records += batch.records.len();
                self.bytes += batch.bytes;
            }
        }
    }
}

fn bytes(records: &[Record]) -> usize {
    records.iter().map(|record| record.message.size()).sum()
}

#[cfg(test)]
mod tests {
    use mq_core::message::Message;

    use super::*;

    fn records(lane: u32, positions: std::ops::Range<u64>) -> Vec<Record> {
        let record = |position| Record::new(Message::new("x"), LaneId(lane), position);
        positions.map(record).collect()
    }

    #[test]
    fn a_batch_is_handed_over_whole_or_in_parts() {
        let queue = Queue::default();
        queue.push_records(records(0, 0..3));
        queue.push_records(records(0, 3..10));
        let mut found = Vec::new();
        assert!(matches!(queue.take(&mut found, 5), Some(Event::Messages)));
        assert_eq!(found.len(), 3);
        assert!(queue.take(&mut found, 5).is_some());
        assert_eq!(found.len(), 8);
        assert!(queue.take(&mut found, 5).is_some());
        assert_eq!(found.len(), 10);
        assert!(queue.take(&mut found, 5).is_none());
        let inner = queue.lock();
        assert_eq!((inner.records, inner.bytes), (0, 0));
    }

    #[test]
    fn lanes_take_turns_and_nothing_passes_an_event() {
        let queue = Queue::default();
        queue.push_records(records(0, 0..2));
        queue.push_records(records(0, 2..4));
        queue.push_records(records(1, 0..2));
        queue.push_event(Event::Messages);
        queue.push_records(records(2, 0..2));
        let mut lanes = Vec::new();
        let mut found = Vec::new();
        while queue.take(&mut found, 2).is_some() {
            lanes.extend(found.first().map(|record| record.lane.0));
            found.clear();
        }
        assert_eq!(lanes, [0, 1, 0, 2]);
    }

    #[test]
    fn a_purged_lane_leaves_the_others() {
        let queue = Queue::default();
        queue.push_records(records(0, 5..6));
        queue.push_records(records(1, 7..9));
        queue.push_event(Event::Messages);
        assert_eq!(queue.purge(&[LaneId(1)]), [(LaneId(1), 7)]);
        let mut found = Vec::new();
        assert!(queue.take(&mut found, 9).is_some());
        assert_eq!(found.len(), 1);
        assert!(queue.take(&mut found, 9).is_some());
        assert!(queue.take(&mut found, 9).is_none());
    }
}
