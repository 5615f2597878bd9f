//! The core of `mq`: contract, middleware, loops and configuration, without any broker's client.
//!
//! Modules stand in the order of their imports: each imports only from those above it.

pub mod binder;
pub mod clock;
pub mod codec;
pub mod config;
pub mod error;
pub mod idempotency;
pub mod message;
pub mod outbox;
pub mod outcome;
pub mod policy;
pub mod units;
