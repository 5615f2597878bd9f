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

/// The bucket of a duration.
#[inline]
fn bucket(nanos: u64) -> usize {
    let micros = nanos >> 10;
    ((u64::BITS - micros.leading_zeros()) as usize).min(BUCKETS - 1)
}

/// Samples of one thread on their way into a [`Histogram`], gathered so that each costs no atomic operation.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// More than there are buckets, so that an index needs no check.
    buckets: [u64; 32],
    /// The buckets that are not empty, one bit each.
    used: u32,
    nanos: u64,
}

impl Tally {
    /// Adds one sample.
    #[inline(always)]
    pub(crate) fn record(&mut self, nanos: u64) {
        let bucket = bucket(nanos) & 31;
        self.buckets[bucket] += 1;
        self.used |= 1 << bucket;
        self.nanos += nanos;
    }

    /// Adds what was gathered to `histogram`, and is empty.
    pub(crate) fn pour_into(&mut self, histogram: &Histogram) {
        while self.used != 0 {
            let bucket = self.used.trailing_zeros() as usize;
            self.used &= self.used - 1;
            let count = std::mem::take(&mut self.buckets[bucket]);
            histogram.buckets[bucket].fetch_add(count, Relaxed);
        }
        histogram
            .nanos
            .fetch_add(std::mem::take(&mut self.nanos), Relaxed);
    }
}

impl Histogram {
    /// Adds one sample.
    pub fn record(&self, nanos: u64) {
        self.buckets[bucket(nanos)].fetch_add(1, Relaxed);
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
    fn gathered_samples_count_as_single_ones() {
        let (gathered, single) = (Histogram::default(), Histogram::default());
        let mut tally = Tally::default();
        for nanos in [0, 900, 1_500, 1_500, 3_000_000, u64::MAX / 4] {
            tally.record(nanos);
            single.record(nanos);
        }
        tally.pour_into(&gathered);
        tally.pour_into(&gathered);
        assert_eq!(gathered.summary(), single.summary());
    }

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
