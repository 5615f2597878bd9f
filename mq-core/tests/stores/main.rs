//! The stores in memory and the relay, from outside.

mod idempotency;
mod transaction;
