//! `mq-testkit`.

pub mod conformance;
pub mod history;
