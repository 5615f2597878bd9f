//! The stores in memory and the relay, from outside.

mod broker;
mod faulty;
mod fencing;
mod idempotency;
mod memory_transaction;
mod outbox;
mod relay;
mod sharing;
mod transaction;
