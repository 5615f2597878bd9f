//! `mq-core`.
