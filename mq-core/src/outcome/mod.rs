//! What became of a delivery.

mod failure;
mod next;

pub use failure::{Decision, Failure, FailureOf, IntoFailure, ResultExt};
pub use next::Next;

pub(crate) use failure::install_readers;

use std::time::Duration;

/// What became of a delivery: done, or failed with a decision of what is to happen now.
///
/// An outcome is one word wide: the path on which nothing fails neither allocates nor copies.
#[derive(Debug, Default)]
#[must_use = "an outcome that is dropped decides nothing"]
pub enum Outcome {
    /// The message is done with.
    #[default]
    Ack,
    /// The message failed; the failure says what is to happen: retry, dead-letter or discard.
    Failed(Failure),
}

impl Outcome {
    /// Failed; try again by the binding's retry policy.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Failed(Failure::retry(reason))
    }

    /// Failed; try again after `delay`.
    pub fn retry_after(delay: Duration, reason: impl Into<String>) -> Self {
        Self::Failed(Failure::retry_after(delay, reason))
    }

    /// Failed for good; move the message to the dead letters.
    pub fn dead_letter(reason: impl Into<String>) -> Self {
        Self::Failed(Failure::dead_letter(reason))
    }

    /// The message is not wanted: count it and acknowledge it.
    pub fn discard(reason: impl Into<String>) -> Self {
        Self::Failed(Failure::discard(reason))
    }

    /// Whether the message is done with.
    #[must_use]
    pub fn is_ack(&self) -> bool {
        matches!(self, Self::Ack)
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_one_word() {
        assert_eq!(size_of::<Outcome>(), size_of::<usize>());
    }
}
