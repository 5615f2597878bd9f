//! What a worker does itself, because nothing stands between it and the listener: layers of their own would cost each call more.

use std::time::Duration;

use crate::{
    middleware::{Judge, Judges, NEVER, StackOptions, took_longer},
    outcome::Failure,
};

/// What a worker does itself.
#[derive(Clone, Debug)]
pub struct Duties<J> {
    /// Who looks at what became of each call.
    pub(super) judge: J,
    /// The longest time for one attempt after its first wait, in nanoseconds.
    pub(super) limit: u64,
    /// Whether a panic of a call is its failure.
    pub(super) catches: bool,
}

impl Duties<()> {
    /// None: the stack has layers for everything.
    #[must_use]
    pub fn none() -> Self {
        Self {
            judge: (),
            limit: NEVER,
            catches: false,
        }
    }
}

impl Duties<Judges> {
    /// All that the standard stack does around a listener: judging, timeout, catching panics.
    #[must_use]
    pub fn all(options: &StackOptions) -> Self {
        let nanos = |limit: Duration| u64::try_from(limit.as_nanos()).unwrap_or(NEVER);
        Self {
            judge: options.judges(),
            limit: options.timeout.map_or(NEVER, nanos),
            catches: true,
        }
    }
}

impl<J: Judge> Duties<J> {
    /// The failure of a call that is over.
    pub(super) fn took_longer(&self) -> Failure {
        took_longer(self.limit)
    }
}
