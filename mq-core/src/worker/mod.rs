//! Runs a stack: takes deliveries from a queue, calls the stack for each, keeps what is pending in slots.
//!
//! This is the only part of the loop that knows the type of the stack; everything around it is compiled once.

mod answers;
mod call;
mod duties;
mod gather;
mod lines;
mod order;
mod queue;
mod slots;
mod stacked;

pub use answers::{Acked, Answers, Done, Other, Replied};
pub use duties::Duties;
pub use gather::{Gather, GatherBatch, GatherOne};
pub use order::{Order, Turnstile};
pub use queue::Queue;
pub use stacked::Stacked;

use std::task::Context;

use crate::binder::{Deliveries, Delivery};

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
    ///
    /// Where deliveries are handled one by one, one that is acknowledged passes its turn on in `order`.
    fn turn(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        order: &mut Order,
        answers: &mut Answers,
    ) -> Turn;

    /// Calls that are under way.
    fn in_flight(&self) -> usize;

    /// Changes how many calls may be under way; those that are finish.
    fn set_concurrency(&mut self, concurrency: usize);

    /// Handles what is gathered without waiting for more: the loop is draining.
    fn flush(&mut self);

    /// Puts what was gathered and could not begin, because the stack was not ready, back to the front of `queue`.
    fn put_back(&mut self, queue: &mut Queue);

    /// Drops every call that is under way, and returns what was being handled.
    fn abandon(&mut self) -> Vec<Delivery>;
}
