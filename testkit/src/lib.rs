//! `mq-testkit`.

pub mod history;
