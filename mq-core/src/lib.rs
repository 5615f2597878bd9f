//! `mq-core`.

pub mod config;
pub mod policy;
pub mod units;
