//! `mq-testkit`.

pub mod conformance;
pub mod history;
pub mod harness;

pub use mq_fail_point::{self as fail_points, fail_point};
