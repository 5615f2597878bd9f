//! The core of `mq`: contract, middleware, loops and configuration, without any broker's client.
//!
//! Modules stand in the order of their imports: each imports only from those above it.

pub mod app;
pub mod binder;
pub mod binding;
pub mod clock;
pub mod codec;
pub mod config;
pub mod error;
pub mod extract;
pub mod function;
pub mod idempotency;
pub mod listener;
pub mod message;
pub mod middleware;
pub mod outbox;
pub mod outcome;
pub mod output;
pub mod policy;
pub mod registry;
pub mod telemetry;
pub mod units;
pub mod worker;
