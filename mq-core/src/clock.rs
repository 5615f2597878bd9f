//! One clock for the framework and its binders: monotonic time for waiting, wall time for what is written down.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Monotonic and wall time from one place.
///
/// The system clock reads the operating system.
/// A *virtual* clock derives wall time from tokio's monotonic clock, so that a test which pauses and advances tokio's time moves
/// both together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    base: Option<(Instant, SystemTime)>,
}

impl Clock {
    /// The operating system's clocks.
    #[must_use]
    pub fn system() -> Self {
        Self { base: None }
    }

    /// A clock whose wall time starts at `wall` and then follows tokio's monotonic time.
    #[must_use]
    pub fn starting_at(wall: SystemTime) -> Self {
        Self {
            base: Some((Instant::now(), wall)),
        }
    }

    /// Monotonic time; pausable in tests.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// Wall time.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        match self.base {
            None => SystemTime::now(),
            Some((start, wall)) => wall + start.elapsed(),
        }
    }

    /// How long until the wall time `due`; zero when it has passed.
    #[must_use]
    pub fn until(&self, due: SystemTime) -> Duration {
        due.duration_since(self.wall()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_virtual_clock_moves_both_times_together() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let clock = Clock::starting_at(wall);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.wall(), wall + Duration::from_secs(60));
        assert_eq!(clock.until(wall), Duration::ZERO);
        assert_eq!(
            clock.until(wall + Duration::from_secs(90)),
            Duration::from_secs(30)
        );
    }
}
