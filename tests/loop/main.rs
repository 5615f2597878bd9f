//! The loop of a binding, from outside: what every service is promised, whatever its broker.
//!
//! Time is paused: waiting takes none, and nothing depends on how fast the machine is.

mod at_least_once;
mod batches;
mod breaker;
mod control;
mod decisions;
mod drain;
mod exhausted;
mod idempotency;
mod ordering;
mod positions;
mod reconnect;
mod retry;
mod sources;
mod storm;
mod support;
mod transactions;
