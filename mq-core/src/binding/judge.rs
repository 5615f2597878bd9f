//! What becomes of an answer of the stack.

use std::time::{Duration, SystemTime};

use super::{
    engine::Engine,
    plan::DelayStyle,
    publish::{Exit, Target},
    tracker::Held,
    waiting::Wait,
};
use crate::{
    binder::{Action, Capability, Delivery, OutputRange, Record, RetryState, Settlement},
    error::Error,
    listener::Style,
    message::Message,
    middleware::{Handled, Reason, dead_letter_message, delayed_message},
    outcome::{Decision, Failure, Next, Outcome},
    worker::{Acked, Done, Other, Replied, Subject},
};

/// A settlement of this delivery.
pub(super) fn settlement(delivery: &Delivery, action: Action) -> Settlement {
    settlement_of(delivery.record(), action)
}

/// A settlement of this record.
#[inline(always)]
pub(super) fn settlement_of(record: &Record, action: Action) -> Settlement {
    Settlement {
        lane: record.lane,
        position: record.position,
        epoch: record.epoch,
        action,
    }
}

impl Engine {
    /// Takes the deliveries that are done with, where there is nothing to publish or to complete before the broker is told.
    ///
    /// Those that were handled one by one have passed their turns on already.
    pub(super) fn acknowledge(&mut self, acked: &mut Vec<Acked>) {
        for run in acked.drain(..) {
            if self.may_be_passed_over() {
                run.for_each(|delivery| self.acknowledge_one(delivery));
            } else if self.transact.is_some() {
                self.finish.leave(run, OutputRange::default());
            } else {
                self.settled_run(&run);
            }
        }
    }

    /// Whether an answer may have come too early: an earlier one of its key in the same batch has failed.
    fn may_be_passed_over(&self) -> bool {
        !self.order.is_free() && self.plan.listener.style() == Style::Batch
    }

    fn acknowledge_one(&mut self, delivery: &Delivery) {
        if self.order.is_passed_over(delivery) {
            self.again_behind(delivery.clone(), Handled::default());
        } else if self.transact.is_some() {
            self.succeeded(Subject::One(delivery.clone()), Handled::default());
        } else {
            self.pass_turn(delivery);
            self.settled(delivery, Action::Ack);
        }
    }

    /// Takes an answer of the stack that is more than an acknowledgement.
    pub(super) fn judge_other(&mut self, other: Other) {
        match other {
            Other::Done(done) => self.judge(done),
            Other::Replied(replied) => self.replied(replied),
        }
    }

    /// Takes deliveries with one output each.
    fn replied(&mut self, replied: Replied) {
        let Replied { acked, outputs } = replied;
        if self.may_be_passed_over() {
            let mut outputs = outputs.singles();
            return acked.for_each(|delivery| {
                let outputs = outputs.next().unwrap_or_default();
                self.judge(Done {
                    subject: Subject::One(delivery.clone()),
                    handled: Handled::with_outputs(outputs),
                });
            });
        }
        self.finish.leave(acked, outputs);
    }

    /// Takes an answer of the stack.
    fn judge(&mut self, done: Done) {
        let Done { subject, handled } = done;
        if let Subject::One(delivery) = &subject
            && self.order.is_passed_over(delivery)
        {
            return self.again_behind(delivery.clone(), handled);
        }
        match (subject, handled.outcome) {
            (Subject::One(delivery), Outcome::Failed(failure)) => self.failed(delivery, &failure),
            (subject, outcome) => self.succeeded(subject, Handled { outcome, ..handled }),
        }
    }

    /// An earlier message of its key in the same batch has failed: whatever became of this one, it is handled again after that.
    fn again_behind(&mut self, delivery: Delivery, handled: Handled) {
        delivery.take_outputs(handled.outputs, drop);
        if let Some(claim) = handled.claim {
            self.finish.release(*claim);
        }
        self.order.line_up_again(delivery);
    }

    /// The message waits for another attempt, and in an ordered binding nobody passes it.
    pub(super) fn park(&mut self, delivery: &Delivery) {
        if self.plan.listener.style() == Style::Single || self.order.turnstile(delivery).is_none() {
            return;
        }
        self.order.park(delivery);
        let turnstile = self.order.turnstile(delivery);
        let order = &self.order;
        let behind = self.queue.take(|other| order.turnstile(other) == turnstile);
        behind
            .into_iter()
            .for_each(|delivery| self.order.line_up_again(delivery));
    }

    /// Everything acknowledged, with outputs or a claim.
    fn succeeded(&mut self, subject: Subject, handled: Handled) {
        let exit = Exit::new(subject, handled.claim);
        if self.may_be_passed_over() {
            for delivery in exit.deliveries() {
                self.pass_turn(delivery);
            }
        }
        let first = exit.deliveries().first().cloned();
        let (plan, round) = (&self.plan, self.finish.exit(exit));
        if let Some(first) = first {
            first.take_outputs(handled.outputs, |staged| {
                round.push_message(plan, Target::Output(staged.output), staged.message);
            });
        }
    }

    fn failed(&mut self, delivery: Delivery, failure: &Failure) {
        let now = self.plan.clock.now();
        match failure
            .next()
            .unwrap_or(Next::Defer(Duration::from_secs(1)))
        {
            Next::InPlace(wait) => {
                self.note_failure(&delivery, failure, "retrying in place");
                self.plan.metrics().retries.increment();
                self.park(&delivery);
                let failures = delivery.attempt();
                self.waiting
                    .push(now + wait, delivery.after_failures(failures), Wait::InPlace);
            }
            Next::Defer(wait) => {
                self.plan.metrics().deferred.increment();
                self.park(&delivery);
                let failures = delivery.failures();
                self.waiting
                    .push(now + wait, delivery.after_failures(failures), Wait::InPlace);
            }
            Next::Delayed(delay) => {
                self.note_failure(&delivery, failure, "retrying later");
                self.delay(delivery, delay);
            }
            Next::DeadLetter | Next::Exhausted => self.bury(delivery, failure),
            Next::Discard => {
                self.plan.metrics().discarded.increment();
                tracing::debug!(binding = &*self.plan.name, error = %failure, "message discarded");
                self.leave_with(delivery, Action::Discard);
            }
            Next::Requeue => {
                self.note_failure(&delivery, failure, "giving it back to the broker");
                self.give_back_later(delivery);
            }
            Next::Stop => self.stop_because(delivery, failure),
        }
    }

    /// Gives the message back to the broker for another round after the longest wait of the retry policy: at once would be a busy
    /// loop.
    ///
    /// A message with an order stays here all the same, so that nobody passes it.
    fn give_back_later(&mut self, delivery: Delivery) {
        let (after, attempts) = (self.plan.build.stack.retry.max, 0);
        let is_ordered = self.order.turnstile(&delivery).is_some();
        if !is_ordered && self.plan.capabilities.has(Capability::DelayedRedelivery) {
            self.plan.metrics().released.increment();
            return self.leave_with(delivery, Action::Release { after, attempts });
        }
        self.park(&delivery);
        let wait = if is_ordered {
            Wait::InPlace
        } else {
            Wait::GiveBack
        };
        let due = self.plan.clock.now() + after;
        self.waiting
            .push(due, delivery.after_failures(attempts), wait);
    }

    fn note_failure(&mut self, delivery: &Delivery, failure: &Failure, what: &str) {
        self.first_failures
            .entry(delivery.place())
            .or_insert_with(|| self.plan.clock.wall());
        let attempt = delivery.attempt();
        tracing::info!(binding = &*self.plan.name, attempt, error_type = failure.error_type(), error = %failure, "handler failed; {what}");
    }

    /// Puts off the next attempt so that a restart does not forget it, as far as the broker can.
    fn delay(&mut self, delivery: Delivery, delay: Duration) {
        self.plan.metrics().delayed.increment();
        let ordered = self.order.turnstile(&delivery).is_some();
        let attempts = delivery.attempt();
        match self.plan.delay_style(ordered, delay) {
            DelayStyle::Native => self.leave_with(
                delivery,
                Action::Release {
                    after: delay,
                    attempts,
                },
            ),
            DelayStyle::Destination => self.move_to_retry(delivery, delay),
            DelayStyle::Held => self.hold(delivery, delay),
        }
    }

    /// The message stays unsettled, and its key or partition waits with it.
    fn hold(&mut self, delivery: Delivery, delay: Duration) {
        self.park(&delivery);
        let (due, attempts) = (self.plan.clock.wall() + delay, delivery.attempt());
        let hold = settlement(&delivery, Action::Hold { due, attempts });
        match &mut self.positions {
            Some(positions) => positions.hold(&hold, Held { attempts, due }),
            None if self.plan.capabilities.retry_state != RetryState::None => {
                self.finish.settle(hold);
            }
            None => {}
        }
        self.waiting.push(
            self.plan.clock.now() + delay,
            delivery.after_failures(attempts),
            Wait::Held,
        );
    }

    /// A copy waits in the retry destination; the message is settled once the copy is confirmed.
    fn move_to_retry(&mut self, delivery: Delivery, delay: Duration) {
        let of = delivery
            .headers()
            .text(crate::message::names::ORIGINAL_DESTINATION);
        let of = of
            .filter(|_| self.is_retry_lane(delivery.record().lane))
            .unwrap_or_else(|| delivery.destination());
        let retries = &self.plan.retry_destinations;
        let retry = retries
            .iter()
            .find(|retry| retry.delay == delay && *retry.of == *of);
        let Some(retry) = retry.or_else(|| retries.iter().find(|retry| retry.delay == delay))
        else {
            return self.hold(delivery, delay);
        };
        let group = self.plan.spec.group.as_deref();
        let copy = delayed_message(&delivery, &retry.name, group, self.plan.clock.wall(), delay);
        self.leave_after(delivery, copy, Letter::Delayed);
    }

    /// To the dead letters, because no attempts are left or the handler said so.
    fn bury(&mut self, delivery: Delivery, failure: &Failure) {
        let reason = match (failure.error_type(), failure.decision()) {
            ("undecodable", _) => Reason::Undecodable,
            ("no-key", _) => Reason::NoKey,
            (_, Decision::DeadLetter) => Reason::Rejected,
            _ => Reason::Exhausted,
        };
        self.bury_as(delivery, reason, failure);
    }

    /// To the dead letters without having been handled; it has no turn yet.
    pub(super) fn bury_unhandled(&mut self, delivery: Delivery, reason: Reason, failure: &Failure) {
        self.plan.metrics().failed.increment();
        let letter = self.letter(&delivery, reason, failure);
        self.post(delivery, letter, Letter::Dead);
    }

    fn post(&mut self, delivery: Delivery, letter: Message, kind: Letter) {
        let mut exit = Exit::new(Subject::One(delivery), None);
        exit.is_dead_letter = kind == Letter::Dead;
        let (plan, round) = (&self.plan, self.finish.exit(exit));
        round.push_message(plan, Target::Letter, letter);
    }

    /// The message is done with once `letter` is confirmed.
    fn leave_after(&mut self, delivery: Delivery, letter: Message, kind: Letter) {
        self.pass_turn(&delivery);
        self.post(delivery, letter, kind);
    }

    fn bury_as(&mut self, delivery: Delivery, reason: Reason, failure: &Failure) {
        let letter = self.letter(&delivery, reason, failure);
        self.leave_after(delivery, letter, Letter::Dead);
    }

    fn letter(&mut self, delivery: &Delivery, reason: Reason, failure: &Failure) -> Message {
        let now = self.plan.clock.wall();
        let first = self.first_failure(delivery).unwrap_or(now);
        let letters = &self.plan.letters;
        tracing::warn!(
            binding = &*self.plan.name, destination = &*letters.destination, attempt = delivery.attempt(),
            reason = reason.as_str(), error_type = failure.error_type(), error = %failure, "message goes to the dead letters",
        );
        dead_letter_message(delivery, failure, reason, (first, now), letters)
    }

    fn first_failure(&self, delivery: &Delivery) -> Option<SystemTime> {
        let millis: Option<u64> = delivery
            .headers()
            .parse(crate::message::names::FIRST_FAILURE);
        let earlier = millis.map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        earlier.or_else(|| self.first_failures.get(&delivery.place()).copied())
    }

    /// Leaves the message unsettled and takes the binding down.
    fn stop_because(&mut self, delivery: Delivery, failure: &Failure) {
        let position = delivery.record().position;
        let text = format!(
            "message at position {position} of `{}` failed for good: {failure}",
            delivery.destination()
        );
        tracing::error!(binding = &*self.plan.name, attempt = delivery.attempt(), error = %failure, "binding stops: {text}");
        self.stopping.get_or_insert(text);
        self.abandon(delivery);
    }

    /// An exit has come to its end: settled, or an output of it was refused for good.
    pub(super) fn conclude(&mut self, exit: Exit) {
        let Some(error) = exit.refused else {
            if exit.is_dead_letter {
                self.plan.metrics().dead_letters.increment();
            }
            return self.settle_all(&exit.subject);
        };
        match exit.subject {
            Subject::One(delivery) if !exit.is_dead_letter => {
                let failure =
                    Failure::from_error(Decision::DeadLetter, error).kind("unpublishable");
                let letter = self.letter(&delivery, Reason::Rejected, &failure);
                self.post(delivery, letter, Letter::Dead);
            }
            subject => self.stop_because_unpublishable(subject, &error),
        }
    }

    fn settle_all(&mut self, subject: &Subject) {
        let deliveries = subject.deliveries().iter();
        deliveries.for_each(|delivery| self.settled(delivery, Action::Ack));
    }

    /// A dead letter, or the output of a whole batch, can never be published: nothing is lost, nothing goes on.
    fn stop_because_unpublishable(&mut self, subject: Subject, error: &Error) {
        let text = format!("a message cannot be published: {}", error.chain());
        tracing::error!(
            binding = &*self.plan.name,
            "binding stops and leaves its input unsettled: {text}"
        );
        self.stopping.get_or_insert(text);
        match subject {
            Subject::One(delivery) => self.abandon(delivery),
            Subject::Many(deliveries) => deliveries
                .as_slice()
                .iter()
                .for_each(|delivery| self.abandon(delivery.clone())),
        }
    }
}

/// What kind of letter a message leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    Dead,
    Delayed,
}
