//! `mq-testkit`.
