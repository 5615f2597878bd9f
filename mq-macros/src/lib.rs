//! `mq-macros`.
