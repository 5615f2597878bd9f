//! `mq-benches`.
