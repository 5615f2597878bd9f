//! Which messages wait for each other.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Which messages of a binding are handled one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ordering {
    /// None: as many at once as `concurrency` allows.
    None,
    /// Those of one key, through retries too; keys go in parallel. A message without a key is handled without order.
    #[default]
    Key,
    /// Those of one partition.
    Partition,
}

impl Ordering {
    /// The word that the settings use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Key => "key",
            Self::Partition => "partition",
        }
    }
}

impl fmt::Display for Ordering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
