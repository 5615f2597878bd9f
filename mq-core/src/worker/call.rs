//! What is kept of a call.

use tracing::Span;

use super::slots::Scope;
use crate::middleware::{Judge, Observed};

/// What is kept of a call that is pending.
pub(super) struct Call<R, J: Judge> {
    pub(super) request: R,
    pub(super) kept: Kept<J>,
    /// When it is over, by the loop's clock.
    pub(super) deadline: u64,
}

/// What is kept of a call beside its request.
pub(super) struct Kept<J: Judge> {
    pub(super) observed: Observed,
    pub(super) case: J::Case,
}

impl<R, J: Judge> Scope for Call<R, J> {
    #[inline(always)]
    fn span(&self) -> Option<&Span> {
        self.kept.observed.span()
    }
}
