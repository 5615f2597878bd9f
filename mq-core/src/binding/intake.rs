//! From records to deliveries: what must not reach the handler is sorted out here.

use std::{
    mem::take,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{engine::Engine, tracker::Arrived, waiting::Wait};
use crate::{
    binder::{Action, AssignedLane, Batch, Delivery, LaneId, Lanes, Record},
    listener::Style,
    message::names,
    middleware::Reason,
    outcome::Failure,
    policy::Ordering,
    worker::Order,
};

/// Batches whose storage is used again.
#[derive(Debug, Default)]
pub(super) struct Pool(Vec<Arc<Batch>>);

/// Batches that are looked at when storage is needed.
const POOL: usize = 8;

impl Pool {
    /// A batch of these records; `records` is empty afterwards.
    fn fill(
        &mut self,
        records: &mut Vec<Record>,
        lanes: &Arc<Lanes>,
        order: &mut Order,
    ) -> Arc<Batch> {
        let free = self
            .0
            .iter()
            .position(|batch| Arc::strong_count(batch) == 1);
        let mut batch = free.map_or_else(
            || Arc::new(Batch::default()),
            |index| self.0.swap_remove(index),
        );
        match Arc::get_mut(&mut batch) {
            Some(inner) => inner.refill(records, lanes, |records, turns| {
                if !order.is_free() {
                    order.turns(records, turns);
                }
            }),
            None => batch = Arc::new(Batch::new(take(records), lanes.clone())),
        }
        if self.0.len() < POOL {
            self.0.push(batch.clone());
        }
        batch
    }
}

impl Engine {
    /// Takes in what the consumer has handed over.
    pub(super) fn take_in(&mut self, records: &mut Vec<Record>) {
        self.plan.metrics().received.add(records.len() as u64);
        if self.has_retry_lanes() {
            records
                .iter_mut()
                .for_each(|record| self.read_retry_headers(record));
        }
        if self.order.is_crowded() {
            self.admit_fresh();
            self.order.sweep();
        }
        let batch = self.pool.fill(records, &self.lanes, &mut self.order);
        if !self.is_simple() || !batch.content().is_plain || !self.is_new(&batch) {
            self.admit_fresh();
            return Delivery::all(&batch).for_each(|delivery| self.enter(delivery));
        }
        self.window.enter_batch(&batch);
        self.count_keyless(&batch);
        self.queue.push_batch(batch);
        if self.plan.listener.style() == Style::Batch {
            self.admit_fresh();
        }
    }

    /// Gives everything that has arrived its turn, or a place in line: what comes now must not pass it.
    pub(super) fn admit_fresh(&mut self) {
        if !self.order.is_free() {
            self.queue.admit_all(&mut self.order);
        }
    }

    /// Whether a plain message of this binding needs no closer look.
    fn is_simple(&self) -> bool {
        let plan = &self.plan;
        let is_plain = self.held_until.is_empty() && !self.draining;
        is_plain && plan.max_payload.is_none() && !plan.require_key
    }

    /// Whether nothing is known of any of these records from before a restart; where there are positions, they have arrived then.
    fn is_new(&mut self, batch: &Batch) -> bool {
        let positions = self.positions.as_mut();
        positions.is_none_or(|positions| positions.arrived_new(batch.records()))
    }

    fn count_keyless(&self, batch: &Batch) {
        if self.plan.ordering == Ordering::Key {
            self.plan.metrics().keyless.add(batch.without_turn() as u64);
        }
    }

    fn enter(&mut self, mut delivery: Delivery) {
        self.window.enter(&delivery);
        let mut due = delivery.record().due;
        if let Some(positions) = &mut self.positions {
            match positions.arrived(delivery.record()) {
                Arrived::New => {}
                Arrived::Settled => return self.window.leave(&delivery),
                Arrived::Held(held) => {
                    delivery = delivery.after_failures(held.attempts);
                    due = Some(held.due);
                }
            }
        }
        if let Some((reason, failure)) = self.refusal(&delivery) {
            return self.bury_unhandled(delivery, reason, &failure);
        }
        if self.is_for_others(&delivery) {
            return self.settle(delivery, Action::Ack);
        }
        if self.plan.ordering == Ordering::Key && delivery.message().as_key().is_none() {
            self.plan.metrics().keyless.increment();
        }
        self.admit(delivery, due);
    }

    /// Gives the delivery its turn, now or when it is due.
    fn admit(&mut self, delivery: Delivery, due: Option<SystemTime>) {
        if let Some(due) = due {
            self.held_until.insert(delivery.place(), due);
        }
        if let Some(delivery) = self.order.admit(delivery) {
            self.run_or_hold(delivery);
        }
    }

    /// The delivery has its turn: it runs, unless it is held.
    #[inline]
    pub(super) fn run_or_hold(&mut self, delivery: Delivery) {
        let is_free = self.held_until.is_empty() && !self.draining;
        if is_free && !self.order.is_passed_over(&delivery) {
            self.queue.push_back(delivery);
        } else {
            self.hold_or_hand_back(delivery);
        }
    }

    fn hold_or_hand_back(&mut self, delivery: Delivery) {
        if self.draining {
            return self.hand_back(delivery);
        }
        if self.order.is_passed_over(&delivery) {
            return self.order.line_up_again(delivery);
        }
        let wait = self
            .held_until
            .remove(&delivery.place())
            .map(|due| self.plan.clock.until(due));
        match wait {
            Some(wait) if !wait.is_zero() => {
                let due = self.plan.clock.now() + wait;
                self.rest_if_retry_lane(delivery.record().lane, due);
                self.park(&delivery);
                self.waiting.push(due, delivery, Wait::Held);
            }
            _ => self.queue.push_back(delivery),
        }
    }

    /// Why the handler must not see this message, if so.
    fn refusal(&self, delivery: &Delivery) -> Option<(Reason, Failure)> {
        let message = delivery.message();
        let size = message.as_bytes().len() as u64;
        if let Some(limit) = self.plan.max_payload.filter(|limit| size > *limit) {
            let text = format!(
                "payload of {size} bytes is over the limit of {limit}; raise `consumer.max_payload` to accept it"
            );
            return Some((
                Reason::TooLarge,
                Failure::dead_letter(text).kind("too-large"),
            ));
        }
        if self.plan.require_key && message.as_key().is_none() {
            return Some((
                Reason::NoKey,
                Failure::dead_letter("message has no key, and `consumer.require_key` is on")
                    .kind("no-key"),
            ));
        }
        let end = message.properties().expires_at?;
        (self.plan.clock.wall() >= end).then(|| {
            (
                Reason::Expired,
                Failure::dead_letter("message has expired").kind("expired"),
            )
        })
    }

    /// A replayed dead letter is for the group that failed, alone.
    fn is_for_others(&self, delivery: &Delivery) -> bool {
        let headers = delivery.headers();
        !headers.is_empty()
            && headers
                .text(names::ONLY_GROUP)
                .is_some_and(|only| Some(only) != self.plan.spec.group.as_deref())
    }

    fn has_retry_lanes(&self) -> bool {
        !self.plan.retry_destinations.is_empty()
    }

    /// A message from a retry destination knows its attempts and when it is due.
    fn read_retry_headers(&self, record: &mut Record) {
        let headers = record.message.as_headers();
        if headers.is_empty() || !self.is_retry_lane(record.lane) {
            return;
        }
        record.attempts = headers.parse(names::ATTEMPT).unwrap_or(record.attempts);
        let millis: Option<u64> = headers.parse(names::DUE);
        record.due =
            millis.and_then(|millis| UNIX_EPOCH.checked_add(Duration::from_millis(millis)));
    }

    pub(super) fn is_retry_lane(&self, lane: LaneId) -> bool {
        let destination = self.lanes.get(lane).map(|lane| &lane.destination);
        destination.is_some_and(|name| {
            self.plan
                .retry_destinations
                .iter()
                .any(|retry| retry.name == *name)
        })
    }

    /// Lanes that are read from now on.
    pub(super) fn assigned(&mut self, assigned: Vec<AssignedLane>) {
        let mut lanes = (*take(&mut self.lanes)).clone();
        for lane in assigned {
            if let Some(positions) = &mut self.positions {
                positions.assign(&lane);
            }
            lanes.set(lane.id, lane.lane);
        }
        self.lanes = Arc::new(lanes);
    }
}
