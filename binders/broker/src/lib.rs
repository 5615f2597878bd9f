//! `mq-broker`
pub mod storage;
