//! How a relay works.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::{OutOfRange, Ranges};

/// How a relay works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RelayOptions {
    /// How long a partition belongs to a relay that shows no sign of life: 1 s to 10 min, 15 s by default.
    /// When a process is killed, its share of the outbox waits this long.
    #[serde(with = "crate::units::duration")]
    pub lease: Duration,
    /// How many batches of one output are under way at once: 1 to 64, 2 by default.
    pub workers: usize,
    /// How many rows a batch has at most: 1 to 10,000, 500 by default.
    pub rows: usize,
    /// How many bytes of payload a batch has before it takes no more rows: 1 KiB or more, 4 MiB by default.
    #[serde(with = "crate::units::bytes")]
    pub bytes: u64,
    /// How long to wait between looks when nothing is there: 10 ms to 1 min, 1 s by default.
    /// What is committed in the same process is published at once.
    #[serde(with = "crate::units::duration")]
    pub poll: Duration,
    /// How rows of one key follow each other: `confirmed` by default.
    pub pipeline: Pipeline,
    /// How long the broker may take to confirm a batch: 1 s to 10 min, 30 s by default; then the batch counts as unconfirmed.
    #[serde(with = "crate::units::duration")]
    pub timeout: Duration,
    /// How often a row that the broker refuses for good is tried before its key is parked: 1 to 1,000, 3 by default.
    pub park_after: u32,
    /// The wait after the first failure of a row: 1 ms or more, up to `max`; 100 ms by default. It doubles with each failure.
    #[serde(with = "crate::units::duration")]
    pub initial: Duration,
    /// The longest wait after a failure of a row: 1 ms to 1 h, 1 min by default.
    #[serde(with = "crate::units::duration")]
    pub max: Duration,
    /// How long published rows are kept, where the store keeps them: 1 h by default.
    #[serde(with = "crate::units::duration")]
    pub keep: Duration,
    /// How long a relay that is told to stop may go on publishing what is there: up to 1 h, 25 s by default.
    #[serde(with = "crate::units::duration")]
    pub drain: Duration,
}

/// How rows of one key follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pipeline {
    /// A row is sent once the row of its key before it is confirmed; rows of other keys go along with it.
    /// Nothing ever overtakes a row of its key.
    #[default]
    Confirmed,
    /// Rows of one key are sent without waiting. Faster where few keys have many rows; but where the broker refuses a row *for
    /// good*, rows of its key that were under way have overtaken it. Temporary failures keep the order here too.
    Through,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            workers: 2,
            rows: 500,
            bytes: 4 << 20,
            poll: Duration::from_secs(1),
            pipeline: Pipeline::Confirmed,
            timeout: Duration::from_secs(30),
            park_after: 3,
            initial: Duration::from_millis(100),
            max: Duration::from_secs(60),
            keep: Duration::from_secs(3600),
            drain: Duration::from_secs(25),
        }
    }
}

impl RelayOptions {
    /// The fields that are out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<OutOfRange> {
        let batches = self.check_batches(Ranges::default());
        self.check_times(batches).found()
    }

    fn check_batches(&self, ranges: Ranges) -> Ranges {
        const OUT: &str = "is out of range";
        let (workers, rows, tries) = (1..=64, 1..=10_000, 1..=1_000);
        ranges
            .check(
                "workers",
                workers.contains(&self.workers),
                OUT,
                "use 1 to 64 (default 2)",
            )
            .check(
                "rows",
                rows.contains(&self.rows),
                OUT,
                "use 1 to 10,000 (default 500)",
            )
            .check(
                "bytes",
                self.bytes >= 1 << 10,
                "is too small",
                "use 1KiB or more (default 4MiB)",
            )
            .check(
                "park_after",
                tries.contains(&self.park_after),
                OUT,
                "use 1 to 1,000 (default 3)",
            )
    }

    fn check_times(&self, mut ranges: Ranges) -> Ranges {
        let (milli, second, hour) = (
            Duration::from_millis(1),
            Duration::from_secs(1),
            Duration::from_secs(3600),
        );
        let fields = [
            (
                "lease",
                self.lease,
                second..=second * 600,
                "use 1s to 10m (default 15s)",
            ),
            (
                "poll",
                self.poll,
                milli * 10..=second * 60,
                "use 10ms to 1m (default 1s)",
            ),
            (
                "timeout",
                self.timeout,
                second..=second * 600,
                "use 1s to 10m (default 30s)",
            ),
            (
                "initial",
                self.initial,
                milli..=self.max,
                "use 1ms or more, up to `max` (default 100ms)",
            ),
            ("max", self.max, milli..=hour, "use 1ms to 1h (default 1m)"),
            (
                "drain",
                self.drain,
                Duration::ZERO..=hour,
                "use up to 1h (default 25s)",
            ),
        ];
        for (field, value, range, help) in fields {
            ranges = ranges.check(field, range.contains(&value), "is out of range", help);
        }
        ranges
    }

    /// The wait after the nth failure of a row (1 is the first).
    ///
    /// Without jitter: a partition has one relay, so nobody repeats in step with it.
    pub(super) fn backoff(&self, failures: u32) -> Duration {
        doubled(self.initial, failures, self.max)
    }
}

/// `first`, doubled for each failure after the first one, up to `max`.
pub(super) fn doubled(first: Duration, failures: u32, max: Duration) -> Duration {
    let factor = 1_u32
        .checked_shl(failures.saturating_sub(1))
        .unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range_and_every_field_out_of_range_is_reported() {
        assert_eq!(RelayOptions::default().validate(), []);
        let zero = Duration::ZERO;
        let options = RelayOptions {
            lease: zero,
            workers: 0,
            rows: 0,
            bytes: 0,
            poll: zero,
            timeout: zero,
            park_after: 0,
            initial: zero,
            max: Duration::from_secs(9000),
            drain: Duration::from_secs(9000),
            ..RelayOptions::default()
        };
        assert_eq!(options.validate().len(), 10);
    }

    #[test]
    fn the_wait_doubles_up_to_the_longest() {
        let options = RelayOptions::default();
        let waits: Vec<_> = [1, 2, 3, 10, 11, 40, u32::MAX]
            .map(|failures| options.backoff(failures).as_millis())
            .into();
        assert_eq!(waits, [100, 200, 400, 51_200, 60_000, 60_000, 60_000]);
    }
}
