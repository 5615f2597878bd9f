//! What every client of an instance has in common: its log, its errors, and whether brokers are there.

mod context;
mod link;
mod probe;

pub(crate) use context::{Context, Hooks};
pub(crate) use link::Link;
pub(crate) use probe::{Plain, Probe, plain};
