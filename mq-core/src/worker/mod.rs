//! Runs a stack: takes deliveries from a queue, calls the stack for each, keeps what is pending in slots.
//!
//! This is the only part of the loop that knows the type of the stack; everything around it is compiled once.

mod gather;
mod slots;
mod stacked;

pub use gather::{Gather, GatherBatch, GatherOne};
pub use stacked::Stacked;

use std::{collections::VecDeque, task::Context};

use crate::{
    binder::{Deliveries, Delivery},
    middleware::Handled,
};

/// The deliveries that an answer belongs to.
#[derive(Debug)]
pub enum Subject {
    /// One delivery.
    One(Delivery),
    /// A batch that is answered as a whole; its outputs are those of all.
    Many(Deliveries),
}

impl Subject {
    /// The deliveries in order.
    #[must_use]
    pub fn deliveries(&self) -> &[Delivery] {
        match self {
            Self::One(delivery) => std::slice::from_ref(delivery),
            Self::Many(deliveries) => deliveries.as_slice(),
        }
    }
}

/// An answer of the stack.
#[derive(Debug)]
pub struct Done {
    /// What was handled.
    pub subject: Subject,
    /// The answer.
    pub handled: Handled,
}

/// The answers of a turn. Most are bare acknowledgements, which need nothing but the delivery.
#[derive(Debug, Default)]
pub struct Answers {
    /// Done with, and nothing to publish or to complete.
    pub acked: Vec<Delivery>,
    /// Everything else.
    pub others: Vec<Done>,
}

impl Answers {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.acked.is_empty() && self.others.is_empty()
    }

    /// Takes an answer in.
    #[inline(always)]
    pub(crate) fn push(&mut self, subject: Subject, handled: Handled) {
        if !handled.is_bare_ack() {
            return self.others.push(Done { subject, handled });
        }
        match subject {
            Subject::One(delivery) => self.acked.push(delivery),
            Subject::Many(deliveries) => self.acked.extend_from_slice(deliveries.as_slice()),
        }
    }
}

/// What a turn of a worker has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Everything that can go on has gone on; the task will be woken.
    Idle,
    /// There is more to do: come again at once, after others had a turn.
    More,
}

/// A stack with its pending calls, erased: one dynamic call a turn, none a message.
pub trait Worker: Send {
    /// Polls what was woken, then calls the stack for deliveries of `queue` while there are free slots and the stack is ready.
    fn turn(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Delivery>,
        answers: &mut Answers,
    ) -> Turn;

    /// Calls that are under way.
    fn in_flight(&self) -> usize;

    /// Changes how many calls may be under way; those that are finish.
    fn set_concurrency(&mut self, concurrency: usize);

    /// Handles what is gathered without waiting for more: the loop is draining.
    fn flush(&mut self);

    /// Puts what was gathered and could not begin, because the stack was not ready, back to the front of `queue`.
    fn put_back(&mut self, queue: &mut VecDeque<Delivery>);

    /// Drops every call that is under way, and returns what was being handled.
    fn abandon(&mut self) -> Vec<Delivery>;
}
