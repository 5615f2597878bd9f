//! When a binding stops fetching because its handler keeps failing.

use super::OutOfRange;
use super::range::Ranges;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The circuit breaker of a binding: while it is open, nothing is fetched, and nothing counts as an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BreakerPolicy {
    /// The share of failed calls in the window that opens it: above 0, up to 1, 0.5 by default.
    pub failures: f64,
    /// How far back calls count: 1 second to 1 hour, 30 s by default.
    #[serde(with = "crate::units::duration")]
    pub window: Duration,
    /// How long it stays open before one call tries again: 1 ms to 1 hour, 10 s by default.
    #[serde(with = "crate::units::duration")]
    pub pause: Duration,
    /// How many calls the window must hold before it can open: 1 or more, 10 by default.
    pub minimum: u32,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 0.5,
            window: Duration::from_secs(30),
            pause: Duration::from_secs(10),
            minimum: 10,
        }
    }
}

impl BreakerPolicy {
    /// The fields that are out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<OutOfRange> {
        let hour = Duration::from_secs(3600);
        let window = Duration::from_secs(1)..=hour;
        let pause = Duration::from_millis(1)..=hour;
        Ranges::default()
            .check(
                "failures",
                self.failures > 0.0 && self.failures <= 1.0,
                "is out of range",
                "use a share above 0 and up to 1 (default 0.5)",
            )
            .check(
                "window",
                window.contains(&self.window),
                "is out of range",
                "use 1s to 1h (default 30s)",
            )
            .check(
                "pause",
                pause.contains(&self.pause),
                "is out of range",
                "use 1ms to 1h (default 10s)",
            )
            .check(
                "minimum",
                self.minimum >= 1,
                "is less than 1",
                "use 1 or more (default 10)",
            )
            .found()
    }
}
