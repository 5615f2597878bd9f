//! A latency histogram with fixed buckets: exact counts, two atomic additions a sample.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Bucket `n` holds durations below 2^n microseconds; the last holds everything longer (over nine minutes).
const BUCKETS: usize = 30;

/// Counts durations in powers of two, from 1 microsecond to 9 minutes.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

/// What a histogram holds at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencySummary {
    /// Samples.
    pub count: u64,
    /// The sum of all samples.
    pub total: Duration,
    /// Upper bound (exclusive) and count of each bucket, in rising order.
    pub buckets: Vec<(Duration, u64)>,
}

impl Histogram {
    /// Adds one sample.
    pub fn record(&self, nanos: u64) {
        let micros = nanos >> 10;
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        self.buckets[bucket.min(BUCKETS - 1)].fetch_add(1, Relaxed);
        self.nanos.fetch_add(nanos, Relaxed);
    }

    /// Reads everything.
    #[must_use]
    pub fn summary(&self) -> LatencySummary {
        let bound = |n: usize| Duration::from_nanos(1 << (10 + n));
        let buckets: Vec<_> = self
            .buckets
            .iter()
            .enumerate()
            .map(|(n, count)| (bound(n), count.load(Relaxed)))
            .collect();
        LatencySummary {
            count: buckets.iter().map(|(_, count)| count).sum(),
            total: Duration::from_nanos(self.nanos.load(Relaxed)),
            buckets,
        }
    }
}

impl LatencySummary {
    /// The bucket bound below which this share (0..=1) of the samples lies.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = (self.count as f64 * share.clamp(0.0, 1.0)).ceil() as u64;
        let mut seen = 0;
        for (bound, count) in &self.buckets {
            seen += count;
            if seen >= wanted && seen > 0 {
                return *bound;
            }
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_fall_below_the_bound_of_their_bucket() {
        let histogram = Histogram::default();
        for nanos in [0, 900, 1_500, 3_000_000, u64::MAX / 4] {
            histogram.record(nanos);
        }
        let summary = histogram.summary();
        assert_eq!(summary.count, 5);
        assert_eq!(summary.quantile(0.2), Duration::from_nanos(1_024));
        assert_eq!(summary.quantile(0.6), Duration::from_nanos(2_048));
        assert!(summary.quantile(0.8) > Duration::from_millis(3));
    }
}
