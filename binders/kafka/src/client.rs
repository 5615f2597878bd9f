//! What every client of an instance has in common: its log, its errors, and whether brokers are there.

mod context;
mod link;
mod patience;
mod probe;

pub(crate) use context::{Context, Hooks};
pub(crate) use link::Link;
pub(crate) use patience::{is_moving, patiently};
pub(crate) use probe::{Plain, Probe, plain};
