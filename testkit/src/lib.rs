//! `mq-testkit`.

pub mod conformance;
pub mod history;
pub mod harness;
#[cfg(feature = "chaos")]
pub mod chaos;

pub use mq_fail_point::{self as fail_points, fail_point};
