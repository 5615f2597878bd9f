//! `mq-testkit`.

#[cfg(feature = "chaos")]
pub mod chaos;
pub mod history;
pub mod harness;

pub use mq_fail_point::{self as fail_points, fail_point};
