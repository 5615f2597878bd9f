//! What happens at the start to destinations that are not there.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What happens at the start to destinations and groups that the broker does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Provision {
    /// They are made.
    #[default]
    Create,
    /// They are looked for, and the start is refused where one is missing or different.
    Verify,
    /// Nothing is looked at: for accounts that may only send and receive.
    None,
}

impl Provision {
    /// The word that the settings use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Verify => "verify",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Provision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
