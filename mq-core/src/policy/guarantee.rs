//! How often a message takes effect.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How often a message takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Guarantee {
    /// At least once: after a crash an output may be published again, under the same id.
    #[default]
    AtLeastOnce,
    /// Outputs and the settlement of their input are one atomic step of the broker; it needs a broker with transactions, and outputs on
    /// the same binder. Effects of the handler elsewhere are not part of it.
    ExactlyOnce,
}

impl Guarantee {
    /// The word that the settings use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "at_least_once",
            Self::ExactlyOnce => "exactly_once",
        }
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
