//! `mq-testkit`.

#[cfg(feature = "chaos")]
pub mod chaos;
pub mod history;
