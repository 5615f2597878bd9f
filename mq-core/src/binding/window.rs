//! What is taken in and not yet done with, in messages and bytes, for the binding and for each lane.

use crate::{
    binder::{Batch, Delivery, LaneId},
    policy::WindowPolicy,
    worker::Acked,
};

/// Counts of what is unsettled.
#[derive(Debug)]
pub(super) struct Window {
    policy: WindowPolicy,
    messages: usize,
    bytes: u64,
    lanes: Vec<usize>,
}

impl Window {
    pub(super) fn new(policy: WindowPolicy) -> Self {
        Self {
            policy,
            messages: 0,
            bytes: 0,
            lanes: Vec::new(),
        }
    }

    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// How many more messages may be taken in.
    pub(super) fn room(&self) -> usize {
        if self.bytes >= self.policy.bytes {
            0
        } else {
            self.policy.messages.saturating_sub(self.messages)
        }
    }

    #[inline(always)]
    pub(super) fn enter(&mut self, delivery: &Delivery) {
        self.messages += 1;
        self.bytes += delivery.message().size() as u64;
        self.add(delivery.record().lane, 1);
    }

    /// Takes in every record of a batch.
    pub(super) fn enter_batch(&mut self, batch: &Batch) {
        let content = batch.content();
        self.messages += batch.len();
        self.bytes += batch.bytes(0, batch.len());
        match content.lane {
            Some(lane) => self.add(lane, batch.len()),
            None => {
                let records = batch.records().iter();
                records.for_each(|record| self.add(record.lane, 1));
            }
        }
    }

    fn add(&mut self, lane: LaneId, count: usize) {
        let lane = lane.0 as usize;
        if self.lanes.len() <= lane {
            self.lanes.resize(lane + 1, 0);
        }
        self.lanes[lane] += count;
    }

    fn take(&mut self, lane: LaneId, count: usize) {
        if let Some(messages) = self.lanes.get_mut(lane.0 as usize) {
            *messages -= count;
        }
    }

    /// Lets deliveries go that are done with.
    pub(super) fn leave_run(&mut self, run: &Acked) {
        let (batch, records) = (run.first().batch(), run.records());
        let content = batch.content();
        self.messages -= records.len();
        self.bytes -= batch.bytes(run.first().index(), records.len());
        match content.lane {
            Some(lane) => self.take(lane, records.len()),
            None => records.iter().for_each(|record| self.take(record.lane, 1)),
        }
    }

    #[inline(always)]
    pub(super) fn leave(&mut self, delivery: &Delivery) {
        self.messages -= 1;
        self.bytes -= delivery.message().size() as u64;
        self.take(delivery.record().lane, 1);
    }

    /// Whether nothing of these lanes is unsettled.
    pub(super) fn is_clear(&self, lanes: &[LaneId]) -> bool {
        lanes.iter().all(|lane| {
            self.lanes
                .get(lane.0 as usize)
                .is_none_or(|count| *count == 0)
        })
    }
}
