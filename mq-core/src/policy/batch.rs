//! How messages are gathered into batches.

use super::OutOfRange;
use super::range::Ranges;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How many messages a batch listener gets at once, and how long it waits for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BatchPolicy {
    /// The most messages in one batch: 1 to 100,000, 100 by default.
    pub max: usize,
    /// How long a batch that is not full waits for more: up to 1 hour, 50 ms by default. Zero takes what is there.
    #[serde(with = "crate::units::duration")]
    pub wait: Duration,
}

impl Default for BatchPolicy {
    fn default() -> Self {
        Self {
            max: 100,
            wait: Duration::from_millis(50),
        }
    }
}

impl BatchPolicy {
    /// The fields that are out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<OutOfRange> {
        Ranges::default()
            .check(
                "max",
                (1..=100_000).contains(&self.max),
                "is out of range",
                "use 1 to 100,000 (default 100)",
            )
            .check(
                "wait",
                self.wait <= Duration::from_secs(3600),
                "is too long",
                "use 0s to 1h (default 50ms)",
            )
            .found()
    }
}
