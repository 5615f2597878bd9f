//! A handler that fails now and then, and always for the same orders.

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

/// Decides which first attempts fail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flaky {
    per_cent: u8,
}

/// An attempt that failed on purpose. The next one succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the attempt failed because of --flaky: try again")]
pub(crate) struct Refused;

impl Flaky {
    /// Makes that many per cent of the first attempts fail; 100 and more are all.
    pub(crate) fn new(per_cent: u8) -> Self {
        Self { per_cent }
    }

    /// Whether this attempt of an order may go on. The first attempt is 1.
    ///
    /// # Errors
    /// The attempt is to fail.
    pub(crate) fn check(self, order_id: &str, attempt: u32) -> Result<(), Refused> {
        let chosen = xxh3_64(order_id.as_bytes()) % 100 < u64::from(self.per_cent);
        if chosen && attempt <= 1 {
            Err(Refused)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(per_cent: u8, attempt: u32) -> Vec<u32> {
        (0..10_000)
            .filter(|n| {
                Flaky::new(per_cent)
                    .check(&format!("{n}@a.csv:2"), attempt)
                    .is_err()
            })
            .collect()
    }

    #[test]
    fn about_the_given_share_fails_and_always_the_same() {
        assert!((800..1200).contains(&refused(10, 1).len()));
        assert_eq!(refused(10, 1), refused(10, 1));
    }

    #[test]
    fn zero_is_none_and_a_hundred_is_all() {
        assert_eq!((refused(0, 1).len(), refused(100, 1).len()), (0, 10_000));
    }

    #[test]
    fn a_second_attempt_goes_through() {
        assert_eq!(refused(100, 2).len(), 0);
    }
}
