//! How often and when a failed message is handled again.

use super::OutOfRange;
use super::range::Ranges;
use crate::units::Short;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How often and when a failed message is handled again.
///
/// First `attempts` calls in place, with exponential backoff between them; then one call for each entry of
/// `delayed`, which survive a restart. Five attempts and two delayed entries make seven calls:
///
/// ```
/// use mq_core::policy::{NextAttempt, RetryPolicy};
/// use std::time::Duration;
///
/// let mut retry = RetryPolicy::default();
/// retry.attempts = 5;
/// retry.delayed = vec![Duration::from_secs(60), Duration::from_secs(600)];
/// assert_eq!(retry.calls(), 7);
/// assert_eq!(retry.next(4), NextAttempt::InPlace(4));
/// assert_eq!(retry.next(5), NextAttempt::Delayed(Duration::from_secs(60)));
/// assert_eq!(retry.next(7), NextAttempt::Exhausted);
/// assert_eq!(retry.to_string(), "5 in place (100 ms to 10 s), then after 1m, 10m; 7 calls");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Calls of the handler in place, the first one included: 1 to 1,000, 3 by default.
    pub attempts: u32,
    /// The wait before the second call: up to `max`, 100 ms by default.
    #[serde(with = "crate::units::duration")]
    pub initial: Duration,
    /// What each further wait is multiplied with: 1 to 100, 2 by default.
    pub factor: f64,
    /// The longest wait in place: up to 1 hour, 10 s by default.
    #[serde(with = "crate::units::duration")]
    pub max: Duration,
    /// Whether each wait is drawn between zero and its full length ("full jitter"): true by default.
    pub jitter: bool,
    /// The waits before the delayed calls, which outlive the process: each 1 ms or more, none by default.
    #[serde(with = "crate::units::durations")]
    pub delayed: Vec<Duration>,
}

/// What comes after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextAttempt {
    /// The nth repeat in place (1 is the first); [`RetryPolicy::backoff`] of the same number says how long to wait.
    InPlace(u32),
    /// One call after this long, durably.
    Delayed(Duration),
    /// None: the message goes where `exhausted` says.
    Exhausted,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 3,
            initial: Duration::from_millis(100),
            factor: 2.0,
            max: Duration::from_secs(10),
            jitter: true,
            delayed: Vec::new(),
        }
    }
}

impl RetryPolicy {
    /// How often the handler is called for one message at most.
    #[must_use]
    pub fn calls(&self) -> u32 {
        let delayed = u32::try_from(self.delayed.len()).unwrap_or(u32::MAX);
        self.attempts.saturating_add(delayed)
    }

    /// How long to wait after the nth failure in place (1 is the first).
    ///
    /// `random` is uniform in 0..1, and ignored without jitter. The wait is never longer than `max`.
    #[must_use]
    pub fn backoff(&self, failures_in_place: u32, random: f64) -> Duration {
        let Some(repeats) = failures_in_place.checked_sub(1) else {
            return Duration::ZERO;
        };
        let exponent = i32::try_from(repeats).unwrap_or(i32::MAX);
        let full = self.initial.as_secs_f64() * self.factor.powi(exponent);
        let full = Duration::try_from_secs_f64(full)
            .unwrap_or(self.max)
            .min(self.max);
        if self.jitter {
            full.mul_f64(random.clamp(0.0, 1.0))
        } else {
            full
        }
    }

    /// What comes after this many failed calls, all rounds together.
    #[must_use]
    pub fn next(&self, failures_so_far: u32) -> NextAttempt {
        let Some(round) = failures_so_far.checked_sub(self.attempts) else {
            return NextAttempt::InPlace(failures_so_far);
        };
        let delay = usize::try_from(round)
            .ok()
            .and_then(|round| self.delayed.get(round));
        delay.map_or(NextAttempt::Exhausted, |delay| NextAttempt::Delayed(*delay))
    }

    /// The fields that are out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<OutOfRange> {
        let (attempts, factor) = (1..=1000, 1.0..=100.0);
        let delays_are_good = self
            .delayed
            .iter()
            .all(|delay| *delay >= Duration::from_millis(1));
        Ranges::default()
            .check(
                "attempts",
                attempts.contains(&self.attempts),
                "is out of range",
                "use 1 to 1,000 (default 3; 1 is no retry in place)",
            )
            .check(
                "initial",
                self.initial <= self.max,
                "is longer than `max`",
                "use a shorter `initial` (default 100ms) or a longer `max` (default 10s)",
            )
            .check(
                "factor",
                factor.contains(&self.factor),
                "is out of range",
                "use 1 to 100 (default 2)",
            )
            .check(
                "max",
                self.max <= Duration::from_secs(3600),
                "is too long",
                "use up to 1h, and `delayed` for longer waits",
            )
            .check(
                "delayed",
                delays_are_good,
                "has a delay of nothing",
                "use 1ms or more, or delete the entry",
            )
            .found()
    }
}

impl fmt::Display for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.attempts <= 1 {
            write!(f, "once")?;
        } else {
            write!(
                f,
                "{} in place ({:#} to {:#})",
                self.attempts,
                Short(self.initial),
                Short(self.max)
            )?;
        }
        for (place, delay) in self.delayed.iter().enumerate() {
            let before = if place == 0 { ", then after" } else { "," };
            write!(f, "{before} {}", Short(*delay))?;
        }
        let calls = self.calls();
        write!(f, "; {calls} {}", if calls == 1 { "call" } else { "calls" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(attempts: u32, delayed: &[u64]) -> RetryPolicy {
        let delayed = delayed.iter().copied().map(Duration::from_secs).collect();
        RetryPolicy {
            attempts,
            delayed,
            ..RetryPolicy::default()
        }
    }

    #[test]
    fn five_attempts_and_two_delays_are_seven_calls() {
        let retry = policy(5, &[60, 600]);
        let steps: Vec<_> = (1..=8).map(|failures| retry.next(failures)).collect();
        let delayed = |seconds| NextAttempt::Delayed(Duration::from_secs(seconds));
        let mut expected: Vec<_> = (1..=4).map(NextAttempt::InPlace).collect();
        expected.extend([
            delayed(60),
            delayed(600),
            NextAttempt::Exhausted,
            NextAttempt::Exhausted,
        ]);
        assert_eq!(steps, expected);
        assert_eq!(retry.calls(), 7);
    }

    #[test]
    fn one_attempt_without_delays_is_exhausted_by_its_first_failure() {
        assert_eq!(policy(1, &[]).next(1), NextAttempt::Exhausted);
        assert_eq!(policy(1, &[]).calls(), 1);
    }

    #[test]
    fn backoff_grows_by_the_factor_up_to_the_longest_wait() {
        let retry = RetryPolicy {
            jitter: false,
            ..RetryPolicy::default()
        };
        let waits: Vec<_> = [0, 1, 2, 3, 7, 8, 9, u32::MAX]
            .map(|n| retry.backoff(n, 0.3).as_millis())
            .into();
        assert_eq!(waits, [0, 100, 200, 400, 6400, 10_000, 10_000, 10_000]);
    }

    #[test]
    fn full_jitter_draws_between_zero_and_the_whole_wait() {
        let retry = RetryPolicy::default();
        assert_eq!(retry.backoff(2, 0.0), Duration::ZERO);
        assert_eq!(retry.backoff(2, 0.5), Duration::from_millis(100));
        assert!(retry.backoff(2, 0.999) < Duration::from_millis(200));
        assert_eq!(retry.backoff(2, f64::INFINITY), Duration::from_millis(200));
    }

    #[test]
    fn the_description_names_calls_and_waits() {
        let check = |retry: RetryPolicy, text: &str| assert_eq!(retry.to_string(), text);
        check(
            policy(5, &[60, 600]),
            "5 in place (100 ms to 10 s), then after 1m, 10m; 7 calls",
        );
        check(policy(3, &[]), "3 in place (100 ms to 10 s); 3 calls");
        check(policy(1, &[60]), "once, then after 1m; 2 calls");
        check(policy(1, &[]), "once; 1 call");
    }

    #[test]
    fn every_field_out_of_range_is_reported() {
        let mut retry = policy(0, &[0]);
        (retry.factor, retry.initial, retry.max) = (
            f64::NAN,
            Duration::from_secs(9000),
            Duration::from_secs(8000),
        );
        let fields: Vec<_> = retry.validate().into_iter().map(|one| one.field).collect();
        assert_eq!(fields, ["attempts", "initial", "factor", "max", "delayed"]);
        assert_eq!(RetryPolicy::default().validate(), []);
    }
}
