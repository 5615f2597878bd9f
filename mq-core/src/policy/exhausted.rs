//! What becomes of a message when its attempts are used up.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What becomes of a message when its attempts are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Exhausted {
    /// Publish it to the dead-letter destination, then acknowledge it.
    #[default]
    DeadLetter,
    /// Leave it unsettled, and mark the binding as down with the reason.
    Stop,
    /// Give it back to the broker for another round after the longest wait of the retry policy; for brokers that settle single
    /// messages only.
    Requeue,
    /// Acknowledge it and forget it: loses messages, and therefore must be written out.
    Discard,
}

impl Exhausted {
    /// The word that the settings use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeadLetter => "dead_letter",
            Self::Stop => "stop",
            Self::Requeue => "requeue",
            Self::Discard => "discard",
        }
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
