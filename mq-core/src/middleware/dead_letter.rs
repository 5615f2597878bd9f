//! Decides what becomes of a message when no attempts are left.

use super::{Arrival, Judge};
use crate::{outcome::Next, policy::Exhausted};

/// Turns exhausted failures into what the binding's `exhausted` says.
///
/// The loop publishes the dead letter and settles the message only once that is confirmed.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter {
    exhausted: Exhausted,
}

impl DeadLetter {
    /// What `exhausted` says happens when no attempts are left.
    #[must_use]
    pub fn new(exhausted: Exhausted) -> Self {
        Self { exhausted }
    }
}

fn next(exhausted: Exhausted) -> Next {
    match exhausted {
        Exhausted::DeadLetter => Next::DeadLetter,
        Exhausted::Stop => Next::Stop,
        Exhausted::Requeue => Next::Requeue,
        Exhausted::Discard => Next::Discard,
    }
}

impl Judge for DeadLetter {
    type Case = ();

    #[inline(always)]
    fn begin(&mut self) {}

    #[inline(always)]
    fn judge<R: Arrival>(&self, (): (), handled: &mut R::Handled, mark: &R::Mark) {
        R::failures(handled, mark, |failure, _| {
            if failure.next() == Some(Next::Exhausted) {
                failure.set_next(next(self.exhausted));
            }
        });
    }
}
