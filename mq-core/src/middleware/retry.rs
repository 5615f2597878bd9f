//! Decides what comes after a failure: again in place, again later, or no more.

use std::{sync::Arc, time::Duration};

use super::{Arrival, Judge};
use crate::{
    outcome::{Decision, Failure, Next},
    policy::{NextAttempt, RetryPolicy},
};

/// A handler's own delay up to this long is waited out in place.
const IN_PLACE: Duration = Duration::from_secs(5);

/// Writes into each failure what comes next by the retry policy.
///
/// It neither waits nor calls again by itself: the loop does, so that a message which waits holds no permit.
#[derive(Clone, Debug)]
pub struct Retry {
    policy: Arc<RetryPolicy>,
}

impl Retry {
    /// With this policy.
    #[must_use]
    pub fn new(policy: RetryPolicy) -> Self {
        Self {
            policy: Arc::new(policy),
        }
    }
}

impl Judge for Retry {
    type Case = ();

    #[inline(always)]
    fn begin(&mut self) {}

    #[inline(always)]
    fn judge<R: Arrival>(&self, (): (), handled: &mut R::Handled, mark: &R::Mark) {
        R::failures(handled, mark, |failure, before| {
            failure.set_next(decide(failure, before, &self.policy));
        });
    }
}

/// What comes after this failure, with `before` failed attempts before it.
fn decide(failure: &Failure, before: u32, policy: &RetryPolicy) -> Next {
    let next = policy.next(before.saturating_add(1));
    match (failure.decision(), next) {
        (Decision::DeadLetter, _) => Next::DeadLetter,
        (Decision::Discard, _) => Next::Discard,
        (Decision::Defer(wait), _) => Next::Defer(wait),
        (Decision::Retry | Decision::RetryAfter(_), NextAttempt::Exhausted) => Next::Exhausted,
        (Decision::RetryAfter(delay), _) if delay <= IN_PLACE => Next::InPlace(delay),
        (Decision::Retry, NextAttempt::InPlace(nth)) => {
            Next::InPlace(policy.backoff(nth, random()))
        }
        (Decision::RetryAfter(delay), _) | (Decision::Retry, NextAttempt::Delayed(delay)) => {
            Next::Delayed(delay)
        }
    }
}

/// A number in 0..1 for jitter; it need not be unpredictable, only different between processes and calls.
fn random() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    (RandomState::new().hash_one(0_u8) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            attempts: 2,
            jitter: false,
            delayed: vec![Duration::from_secs(60)],
            ..RetryPolicy::default()
        }
    }

    #[test]
    fn attempts_go_from_in_place_to_delayed_to_exhausted() {
        let failure = Failure::retry("broken");
        assert_eq!(
            decide(&failure, 0, &policy()),
            Next::InPlace(Duration::from_millis(100))
        );
        assert_eq!(
            decide(&failure, 1, &policy()),
            Next::Delayed(Duration::from_secs(60))
        );
        assert_eq!(decide(&failure, 2, &policy()), Next::Exhausted);
    }

    #[test]
    fn a_delay_of_the_handlers_own_counts_as_an_attempt() {
        let soon = Failure::retry_after(Duration::from_secs(2), "busy");
        let later = Failure::retry_after(Duration::from_secs(30), "busy");
        assert_eq!(
            decide(&soon, 0, &policy()),
            Next::InPlace(Duration::from_secs(2))
        );
        assert_eq!(
            decide(&later, 0, &policy()),
            Next::Delayed(Duration::from_secs(30))
        );
        assert_eq!(decide(&later, 2, &policy()), Next::Exhausted);
    }

    #[test]
    fn decisions_of_the_handler_stand() {
        assert_eq!(
            decide(&Failure::dead_letter("no"), 0, &policy()),
            Next::DeadLetter
        );
        assert_eq!(decide(&Failure::discard("no"), 0, &policy()), Next::Discard);
        let wait = Duration::from_secs(1);
        assert_eq!(
            decide(&Failure::defer(wait, "busy"), 9, &policy()),
            Next::Defer(wait)
        );
    }
}
