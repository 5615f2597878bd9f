//! Where a new group begins to read.

use crate::units::timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::SystemTime;

/// Where a group begins that the broker does not know yet. A known group goes on where it was.
///
/// In the settings: `"earliest"`, `"latest"`, `{ time = "2026-01-01T00:00:00Z" }` or `{ position = 42 }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Start {
    /// At the earliest message that is still kept.
    #[default]
    Earliest,
    /// After the latest message.
    Latest,
    /// At the first message that is not older than this.
    Time(#[serde(with = "timestamp")] SystemTime),
    /// At this position of each partition.
    Position(u64),
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.pad("earliest"),
            Self::Latest => f.pad("latest"),
            Self::Time(time) => humantime::format_rfc3339(*time).fmt(f),
            Self::Position(position) => write!(f, "position {position}"),
        }
    }
}
