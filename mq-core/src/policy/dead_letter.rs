//! Where messages go that cannot be handled.

use super::OutOfRange;
use super::range::Ranges;
use serde::{Deserialize, Serialize};

/// The most and the default that the failure's own headers may take, in bytes.
const MAX_METADATA: u64 = 8 * 1024;
/// Less than this cannot hold where a message came from.
const MIN_METADATA: u64 = 512;

/// Where the dead letters of a binding go, and how much is written about the failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DeadLetterPolicy {
    /// The destination; `<destination>.<group>.dlq` by default, `<destination>.dlq` for an anonymous group.
    pub destination: Option<String>,
    /// The most bytes that the headers about the failure may take: 512 B to 8 KiB, 8 KiB by default.
    /// The error's text is trimmed first.
    #[serde(with = "crate::units::bytes")]
    pub max_metadata: u64,
}

impl Default for DeadLetterPolicy {
    fn default() -> Self {
        Self {
            destination: None,
            max_metadata: MAX_METADATA,
        }
    }
}

impl DeadLetterPolicy {
    /// The fields that are out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<OutOfRange> {
        let metadata = MIN_METADATA..=MAX_METADATA;
        Ranges::default()
            .check(
                "destination",
                self.destination.as_deref() != Some(""),
                "is empty",
                "name a destination, or delete the line",
            )
            .check(
                "max_metadata",
                metadata.contains(&self.max_metadata),
                "is out of range",
                "use 512B to 8KiB (default 8KiB)",
            )
            .found()
    }
}
