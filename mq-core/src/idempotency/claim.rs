//! Claims: the right to handle one message, for a while.

use std::{fmt, sync::Arc, time::Duration};

use super::IdempotencyKey;
use crate::{
    error::{Error, ErrorKind, Result},
    policy::IdempotencyPolicy,
};

/// Within which keys are told apart: one listener of one group. Cheap to clone.
///
/// Two listeners of a group that see the same message have two scopes, so each handles it once.
/// A listener that is renamed has a new scope, which remembers nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope(Arc<str>);

impl Scope {
    /// The longest scope in bytes.
    pub const MAX_LEN: usize = 255;

    /// The scope of a listener of a group: `group/listener`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: together they are longer than [`MAX_LEN`](Self::MAX_LEN).
    pub fn new(group: &str, listener: &str) -> Result<Self> {
        let scope = format!("{group}/{listener}");
        if scope.len() > Self::MAX_LEN {
            return Err(Error::new(
                ErrorKind::Config,
                "the names of group and listener are too long for idempotency; use at most 254 bytes for both together",
            )
            .context("scope", scope));
        }
        Ok(Self(scope.into()))
    }

    /// The scope as a store writes it down.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tells one claim of a key from every other claim of that key, for ever: the fencing token.
///
/// Compared for equality only, so a store may draw it at random, one for each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClaimToken(pub u64);

/// The right to handle the message with this key, until the lease ends and somebody else claims it.
///
/// A plain value: dropping it gives nothing back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The key.
    pub key: IdempotencyKey,
    /// Which claim of the key this is.
    pub token: ClaimToken,
}

/// The answer to the claim of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Nobody has it: handle the message, then complete or release the claim.
    Run(Claim),
    /// It was handled within the window: acknowledge the message without handling it.
    Done,
    /// Somebody else is handling it.
    Busy {
        /// How long until that claim can be taken over, unless it is renewed, completed or released before.
        /// Asking earlier is allowed, and finds out sooner that the other one is done.
        wait: Duration,
    },
}

/// What became of a call on one claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimResult {
    /// It took effect.
    Applied,
    /// It did not: the lease had ended and somebody else has taken the key over, or the store has forgotten the claim.
    Lost,
}

/// How long a claim holds and how long its completion is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimTerms {
    /// How long a claim holds without being renewed. 60 s by default.
    pub lease: Duration,
    /// The window: how long a completed key is remembered. 7 days by default.
    pub window: Duration,
}

impl Default for ClaimTerms {
    fn default() -> Self {
        Self::from(&IdempotencyPolicy::new(""))
    }
}

impl From<&IdempotencyPolicy> for ClaimTerms {
    fn from(policy: &IdempotencyPolicy) -> Self {
        Self {
            lease: policy.lease,
            window: policy.ttl,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_that_fits_no_index_is_refused() {
        let long = "g".repeat(254);
        assert_eq!(
            Scope::new(&long, "").map(|s| s.as_str().len()).ok(),
            Some(255)
        );
        let error = Scope::new(&long, "l").expect_err("too long");
        assert_eq!(error.kind(), ErrorKind::Config);
    }

    #[test]
    fn the_default_terms_are_those_of_the_policy() {
        let terms = ClaimTerms::default();
        assert_eq!(terms.lease, Duration::from_secs(60));
        assert_eq!(terms.window, Duration::from_secs(7 * 24 * 3600));
    }
}
