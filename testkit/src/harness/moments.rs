//! Random moments from a seed.

use std::ops::Range;
use std::time::Duration;

/// Endless random pauses, the same ones for the same seed.
///
/// ```
/// # use std::time::Duration;
/// # use mq_testkit::harness::Moments;
/// let range = Duration::from_millis(50)..Duration::from_secs(2);
/// let mut moments = Moments::new(42, range.clone());
/// let first = moments.pause();
/// assert!(range.contains(&first));
/// assert_eq!(Moments::new(42, range).pause(), first);
/// ```
#[derive(Clone, Debug)]
pub struct Moments {
    random: fastrand::Rng,
    range: Range<Duration>,
}

impl Moments {
    /// Pauses evenly spread over a range, to the microsecond. An empty range gives its beginning.
    #[must_use]
    pub fn new(seed: u64, range: Range<Duration>) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            range,
        }
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let span = self.range.end.saturating_sub(self.range.start).as_micros();
        let span = u64::try_from(span).unwrap_or(u64::MAX).max(1);
        self.range.start + Duration::from_micros(self.random.u64(0..span))
    }

    /// Sleeps for the next pause. Cancel-safe: the pause counts as taken.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.pause()).await;
    }

    /// One of several things, for a choice that belongs to the same seed; `None` if there are none.
    pub fn choose<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        self.random.choice(of)
    }
}
