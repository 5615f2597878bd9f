//! The core of `mq`: contract, middleware, loops and configuration, without any broker's client.
//!
//! Modules stand in the order of their imports: each imports only from those above it.

pub mod error;
pub mod units;
pub mod clock;
pub mod policy;
pub mod config;
pub mod outcome;
pub mod message;
pub mod codec;
pub mod telemetry;
pub mod binder;
pub mod outbox;
pub mod idempotency;
pub mod output;
pub mod middleware;
pub mod worker;
pub mod extract;
pub mod listener;
pub mod function;
pub mod binding;
pub mod registry;
pub mod app;
