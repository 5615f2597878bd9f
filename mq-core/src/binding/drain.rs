//! Ending the work of a binding in order.

use std::{future::poll_fn, task::Poll, time::Duration};

use tokio::time::timeout;

use super::{engine::Engine, waiting::Wait};
use crate::binder::{Delivery, LaneId, RetryState};

/// What became of the messages that were taken in when a binding ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// Handled to the end and settled.
    pub finished: usize,
    /// Given back to the broker without having been handled, or while waiting for another attempt.
    pub handed_back: usize,
    /// Still in the handler, or with outputs that were not confirmed, when the time was over: the broker delivers them again.
    pub abandoned: usize,
}

impl DrainReport {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            finished: self.finished + other.finished,
            handed_back: self.handed_back + other.handed_back,
            abandoned: self.abandoned + other.abandoned,
        }
    }
}

impl Engine {
    /// Hands back what has not begun, lets what is in flight finish for at most `limit`, and settles.
    pub(super) async fn drain(&mut self, limit: Duration) -> DrainReport {
        self.draining = true;
        let handed_back = self.hand_back_waiting(|_| true);
        self.worker.flush();
        let in_flight = self.window.messages();
        let finished_in_time = timeout(limit, poll_fn(|cx| self.poll_drained(cx)))
            .await
            .is_ok();
        let abandoned = if finished_in_time {
            0
        } else {
            self.abandon_all()
        };
        let more = self.hand_back_waiting(|_| true);
        self.commit_now();
        // What is left to settle is given a little more time: it saves redeliveries.
        let _ = timeout(Duration::from_secs(2), poll_fn(|cx| self.poll_settled(cx))).await;
        // Outputs that were not confirmed in time: their inputs are not settled.
        let abandoned = abandoned + self.window.messages();
        let finished = in_flight.saturating_sub(abandoned + more);
        DrainReport {
            finished,
            handed_back: handed_back + more,
            abandoned,
        }
    }

    fn poll_drained(&mut self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        self.turn(cx);
        // A retry that would begin now does not: its message goes back with its attempts.
        self.hand_back_waiting(|_| true);
        let quiet = self.worker.in_flight() == 0 && self.queue.is_empty() && self.is_finished();
        if quiet {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn poll_settled(&mut self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        self.turn(cx);
        if self.is_finished() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn abandon_all(&mut self) -> usize {
        let abandoned = self.worker.abandon();
        let count = abandoned.len();
        abandoned
            .into_iter()
            .for_each(|delivery| self.abandon(delivery));
        let layer = self.plan.build.stack.idempotency.clone();
        let claims = layer.map(|layer| layer.take_dropped());
        claims
            .into_iter()
            .flatten()
            .for_each(|claim| self.finish.release(claim));
        count
    }

    /// Gives back everything of these deliveries that is not in a handler or on its way out.
    pub(super) fn hand_back_waiting(&mut self, wanted: impl Fn(&Delivery) -> bool) -> usize {
        self.worker.put_back(&mut self.queue);
        self.admit_fresh();
        let in_line = self.order.take_waiting(&wanted);
        let with_turn = self.take_with_turn(&wanted);
        let count = in_line.len() + with_turn.len();
        in_line
            .into_iter()
            .for_each(|delivery| self.give_back(delivery));
        for (delivery, wait) in with_turn {
            if wait == Wait::Held && self.plan.capabilities.retry_state != RetryState::None {
                // The broker has recorded the hold: a release would make the message due at once.
                self.plan.metrics().released.increment();
                self.pass_turn(&delivery);
                self.abandon(delivery);
            } else {
                self.hand_back(delivery);
            }
        }
        count
    }

    /// Deliveries that have their turn and wait for a place or for another attempt.
    fn take_with_turn(&mut self, wanted: impl Fn(&Delivery) -> bool) -> Vec<(Delivery, Wait)> {
        let taken = self.queue.take(&wanted);
        let queued = taken.into_iter().map(|delivery| (delivery, Wait::InPlace));
        queued.chain(self.waiting.take(&wanted)).collect()
    }

    /// Finishes these lanes within `budget` and commits them: they go to somebody else.
    pub(super) async fn revoke(&mut self, lanes: &[LaneId], budget: Duration) {
        let theirs = |delivery: &Delivery| lanes.contains(&delivery.record().lane);
        self.hand_back_waiting(theirs);
        let cleared = poll_fn(|cx| {
            self.turn(cx);
            self.hand_back_waiting(theirs);
            if self.window.is_clear(lanes) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        // Some of the budget is kept for the commit itself.
        if timeout(budget / 4 * 3, cleared).await.is_err() {
            tracing::warn!(
                binding = &*self.plan.name,
                "revoked lanes could not be finished in time; their messages are delivered again"
            );
        }
        self.commit_now();
        let _ = timeout(budget / 4, poll_fn(|cx| self.poll_settled(cx))).await;
        self.forget_lanes(lanes);
    }

    /// Forgets everything of these lanes that is not in a handler or on its way out: it is somebody else's now.
    pub(super) fn forget_lanes(&mut self, lanes: &[LaneId]) {
        let theirs = |delivery: &Delivery| lanes.contains(&delivery.record().lane);
        self.worker.put_back(&mut self.queue);
        self.admit_fresh();
        let in_line = self.order.take_waiting(theirs);
        in_line
            .into_iter()
            .for_each(|delivery| self.abandon(delivery));
        for (delivery, _) in self.take_with_turn(theirs) {
            self.pass_turn(&delivery);
            self.abandon(delivery);
        }
        self.held_until.retain(|(lane, _), _| !lanes.contains(lane));
        self.resting.forget(lanes);
        if let Some(positions) = &mut self.positions {
            lanes.iter().for_each(|lane| positions.forget(*lane));
        }
    }

    /// The subscription is gone: what is in flight finishes for at most `limit`, but cannot be settled any more.
    pub(super) async fn lose(&mut self, limit: Duration) {
        let lanes: Vec<_> = self.lanes.iter().map(|(lane, _)| lane).collect();
        self.draining = true;
        self.forget_lanes(&lanes);
        self.finish.lost();
        if timeout(limit, poll_fn(|cx| self.poll_drained(cx)))
            .await
            .is_err()
        {
            self.abandon_all();
        }
    }
}
