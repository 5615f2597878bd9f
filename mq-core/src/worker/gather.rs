//! How requests of the stack are made from the queue: one delivery, or a batch of them.

use std::{future::Future, pin::Pin, task::Context};

use tokio::time::{Instant, Sleep, sleep};

use super::{Answers, Order, Queue};
use crate::{
    binder::{Deliveries, Delivery},
    middleware::{Arrival, Handled, HandledBatch},
    policy::BatchPolicy,
};

/// Makes requests from the queue, and answers from responses.
pub trait Gather: Send {
    /// What the stack takes.
    type Request: Arrival;

    /// Whether an answer is judged before the next request is made, where there is an order: what has failed in a batch holds back
    /// what is behind it.
    const JUDGED_FIRST: bool;

    /// How many deliveries a request has.
    fn count(request: &Self::Request) -> usize;

    /// The next request, or `None` if there is nothing, or not enough yet; then the task is woken in time.
    fn next(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        order: &mut Order,
    ) -> Option<Self::Request>;

    /// Keeps what tells the request from others while it is called, in the place of the last one.
    fn keep<'a>(kept: &'a mut Option<Self::Request>, request: &Self::Request) -> &'a Self::Request {
        kept.insert(request.clone())
    }

    /// Puts the answers for a request into `answers`, and passes turns on that nobody has to judge first.
    fn answer(
        request: &Self::Request,
        handled: <Self::Request as Arrival>::Handled,
        order: &mut Order,
        answers: &mut Answers,
    );

    /// From now on nothing more comes: do not wait for it.
    fn flush(&mut self);
}

/// One delivery at a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct GatherOne;

impl Gather for GatherOne {
    type Request = Delivery;
    const JUDGED_FIRST: bool = false;

    #[inline(always)]
    fn count(_: &Delivery) -> usize {
        1
    }

    #[inline(always)]
    fn next(
        &mut self,
        _: &mut Context<'_>,
        queue: &mut Queue,
        order: &mut Order,
    ) -> Option<Delivery> {
        queue.pop_in(order)
    }

    #[inline(always)]
    fn keep<'a>(kept: &'a mut Option<Delivery>, delivery: &Delivery) -> &'a Delivery {
        delivery.keep_in(kept)
    }

    #[inline(always)]
    fn answer(delivery: &Delivery, handled: Handled, order: &mut Order, answers: &mut Answers) {
        if handled.outcome.is_ack() {
            order.leave(delivery);
        }
        answers.push(delivery, handled);
    }

    fn flush(&mut self) {}
}

/// Batches: as many as `max`, or as have come within `wait` of the first.
#[derive(Debug)]
pub struct GatherBatch {
    policy: BatchPolicy,
    first: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    flushing: bool,
}

impl GatherBatch {
    /// By this policy. Needs a running runtime.
    #[must_use]
    pub fn new(policy: BatchPolicy) -> Self {
        let timer = Box::pin(sleep(policy.wait));
        Self {
            policy,
            first: None,
            timer,
            flushing: false,
        }
    }

    fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let first = *self.first.get_or_insert_with(Instant::now);
        let due = first + self.policy.wait;
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
        }
        self.timer.as_mut().poll(cx).is_ready()
    }
}

impl Gather for GatherBatch {
    type Request = Deliveries;
    const JUDGED_FIRST: bool = true;

    fn count(request: &Deliveries) -> usize {
        request.len()
    }

    fn next(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        _: &mut Order,
    ) -> Option<Deliveries> {
        if queue.is_empty() {
            self.first = None;
            return None;
        }
        if queue.len() < self.policy.max && !self.flushing && !self.is_due(cx) {
            return None;
        }
        self.first = None;
        Some(queue.pop_together(self.policy.max))
    }

    fn answer(request: &Deliveries, handled: HandledBatch, _: &mut Order, answers: &mut Answers) {
        match handled {
            HandledBatch::All(handled) if handled.outcome.is_ack() => {
                answers.push_many(request, handled);
            }
            mut handled => {
                let each = std::mem::take(handled.each(request.len()));
                for (delivery, handled) in request.as_slice().iter().zip(each) {
                    answers.push(delivery, handled);
                }
            }
        }
    }

    fn flush(&mut self) {
        self.flushing = true;
    }
}
