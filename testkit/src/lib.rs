//! `mq-testkit`.

pub mod history;
pub mod harness;

pub use mq_fail_point::{self as fail_points, fail_point};
