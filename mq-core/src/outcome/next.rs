//! What the policies have decided for a failure.

use std::time::Duration;

/// What is to happen with a failed message, after the retry and dead-letter policies have spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// Call the handler again after this wait, in this process; the message stays unsettled.
    InPlace(Duration),
    /// Call the handler again after this delay, which survives a restart where the binder can.
    Delayed(Duration),
    /// Not handled at all: come back after this wait without counting an attempt.
    Defer(Duration),
    /// No attempts are left; the dead-letter layer turns this into one of the following.
    Exhausted,
    /// Publish to the dead letters, then settle.
    DeadLetter,
    /// Leave it unsettled and take the binding down.
    Stop,
    /// Give it back to the broker.
    Requeue,
    /// Count it and settle.
    Discard,
}
