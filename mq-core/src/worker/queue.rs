//! Deliveries that wait for a place: single ones, and whole batches that have just arrived.

use std::{collections::VecDeque, sync::Arc};

use super::Order;
use crate::binder::{Batch, Deliveries, Delivery};

/// A queue of deliveries.
///
/// A batch that has just arrived is one entry: a delivery of it is made, and gets its turn or a place in line, when it comes out.
/// Single deliveries have their turn, and go before such batches: what waits for another attempt is older.
#[derive(Debug, Default)]
pub struct Queue {
    single: VecDeque<Delivery>,
    current: Option<Rest>,
    later: VecDeque<Rest>,
    fresh: usize,
}

/// What is left of a batch.
#[derive(Debug)]
struct Rest {
    batch: Arc<Batch>,
    next: u32,
}

impl Rest {
    fn len(&self) -> usize {
        self.batch.len() - self.next as usize
    }
}

impl Queue {
    /// How many deliveries wait.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.single.len() + self.fresh
    }

    /// Whether none does.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a delivery behind the other single ones.
    pub fn push_back(&mut self, delivery: Delivery) {
        self.single.push_back(delivery);
    }

    /// Puts a delivery before all others.
    pub fn push_front(&mut self, delivery: Delivery) {
        self.single.push_front(delivery);
    }

    /// Puts every delivery of a batch behind all others.
    pub fn push_batch(&mut self, batch: Arc<Batch>) {
        if batch.is_empty() {
            return;
        }
        self.fresh += batch.len();
        let rest = Rest { batch, next: 0 };
        match &self.current {
            None => self.current = Some(rest),
            Some(_) => self.later.push_back(rest),
        }
    }

    /// The next delivery that has its turn; those that must wait for theirs are put in line.
    #[inline(always)]
    pub fn pop_in(&mut self, order: &mut Order) -> Option<Delivery> {
        if !self.single.is_empty() {
            return self.single.pop_front();
        }
        loop {
            let delivery = self.pop_fresh()?;
            if order.lets_through(&delivery) {
                return Some(delivery);
            }
            if let Some(delivery) = order.line_up(delivery) {
                return Some(delivery);
            }
        }
    }

    /// Gives every delivery of every batch its turn, or a place in line.
    pub(crate) fn admit_all(&mut self, order: &mut Order) {
        while let Some(delivery) = self.pop_fresh() {
            if let Some(delivery) = order.admit(delivery) {
                self.single.push_back(delivery);
            }
        }
    }

    fn pop_front(&mut self) -> Option<Delivery> {
        self.single.pop_front().or_else(|| self.pop_fresh())
    }

    #[inline(always)]
    fn pop_fresh(&mut self) -> Option<Delivery> {
        let rest = self.current.as_mut()?;
        let index = rest.next;
        self.fresh -= 1;
        rest.next += 1;
        if rest.len() > 0 {
            return Some(Delivery::new(rest.batch.clone(), index));
        }
        let rest = std::mem::replace(&mut self.current, self.later.pop_front())?;
        Some(Delivery::new(rest.batch, index))
    }

    /// The next deliveries together, at most `count`.
    pub(super) fn pop_together(&mut self, count: usize) -> Deliveries {
        let count = count.min(self.len());
        if self.single.is_empty()
            && let Some(rest) = &mut self.current
            && rest.len() >= count
        {
            let first = Delivery::new(rest.batch.clone(), rest.next);
            // A batch has fewer than 2^32 records: this is at most what was left of it.
            rest.next += u32::try_from(count).unwrap_or(u32::MAX);
            self.fresh -= count;
            if rest.len() == 0 {
                self.current = self.later.pop_front();
            }
            return Deliveries::run(first, count);
        }
        Deliveries::new(self.pop_some(count))
    }

    /// The next deliveries, at most `count`.
    fn pop_some(&mut self, count: usize) -> Vec<Delivery> {
        let count = count.min(self.len());
        let mut some = Vec::with_capacity(count);
        while some.len() < count
            && let Some(delivery) = self.pop_front()
        {
            some.push(delivery);
        }
        some
    }

    /// Takes out every delivery for which `wanted` holds, in order.
    pub fn take(&mut self, wanted: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let all = self.pop_some(self.len());
        let (taken, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(wanted);
        self.single.extend(kept);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        binder::{LaneId, Record},
        message::Message,
    };

    fn batch(positions: std::ops::Range<u64>) -> Arc<Batch> {
        let record = |position| Record::new(Message::new("x"), LaneId(0), position);
        Arc::new(Batch::new(positions.map(record).collect(), Arc::default()))
    }

    fn positions(queue: &mut Queue) -> Vec<u64> {
        std::iter::from_fn(|| queue.pop_front())
            .map(|delivery| delivery.record().position)
            .collect()
    }

    #[test]
    fn batches_come_out_in_order_and_after_single_deliveries() {
        let mut queue = Queue::default();
        queue.push_batch(batch(0..2));
        queue.push_batch(batch(2..2));
        queue.push_batch(batch(2..5));
        queue.push_back(Delivery::new(batch(9..10), 0));
        assert_eq!(queue.len(), 6);
        assert_eq!(positions(&mut queue), [9, 0, 1, 2, 3, 4]);
        assert!(queue.is_empty());
    }

    #[test]
    fn deliveries_come_out_together_wherever_they_are() {
        let mut queue = Queue::default();
        queue.push_batch(batch(0..4));
        queue.push_batch(batch(4..7));
        let sizes: Vec<_> = std::iter::from_fn(|| {
            let together = queue.pop_together(3);
            (!together.is_empty()).then(|| (together.len(), together.as_run().is_some()))
        })
        .collect();
        assert_eq!(sizes, [(3, true), (3, false), (1, true)]);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_is_taken_out_leaves_the_others_in_order() {
        let mut queue = Queue::default();
        queue.push_batch(batch(0..3));
        queue.push_batch(batch(3..6));
        drop(queue.pop_front());
        let even = queue.take(|delivery| delivery.record().position % 2 == 0);
        assert_eq!(even.len(), 2);
        queue.push_batch(batch(6..7));
        assert_eq!(positions(&mut queue), [1, 3, 5, 6]);
    }
}
