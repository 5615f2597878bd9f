//! What becomes of a message that no listener's condition takes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What becomes of a message that no listener's condition takes, where there is no listener for everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unmatched {
    /// Publish it to the dead-letter destination, then acknowledge it.
    #[default]
    DeadLetter,
    /// Acknowledge it and forget it: loses messages, and therefore must be written out.
    Discard,
    /// Leave it unsettled, and mark the binding as down with the reason.
    Stop,
}

impl Unmatched {
    /// The word that the settings use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeadLetter => "dead_letter",
            Self::Discard => "discard",
            Self::Stop => "stop",
        }
    }
}

impl fmt::Display for Unmatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
