//! `mq-memory`.
