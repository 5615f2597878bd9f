//! How much of a binding may be unsettled at once.

use super::OutOfRange;
use super::range::Ranges;
use serde::{Deserialize, Serialize};

/// How much of a binding may be unsettled at once; intake stops when either limit is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct WindowPolicy {
    /// How far a partition may run ahead of its lowest unsettled position: 1 to 1,000,000 messages, 10,000 by default.
    pub messages: usize,
    /// How many bytes of payload the binding may hold: 64 KiB or more, 64 MiB by default.
    #[serde(with = "crate::units::bytes")]
    pub bytes: u64,
}

impl Default for WindowPolicy {
    fn default() -> Self {
        Self {
            messages: 10_000,
            bytes: 64 << 20,
        }
    }
}

impl WindowPolicy {
    /// The fields that are out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<OutOfRange> {
        let messages = 1..=1_000_000;
        Ranges::default()
            .check(
                "messages",
                messages.contains(&self.messages),
                "is out of range",
                "use 1 to 1,000,000 (default 10,000)",
            )
            .check(
                "bytes",
                self.bytes >= 64 << 10,
                "is too small",
                "use 64KiB or more (default 64MiB)",
            )
            .found()
    }
}
