//! What every client of an instance has in common: its log, its errors, its counts, and whether brokers are there.

mod context;
mod link;
mod patience;
mod probe;
mod statistics;

pub(crate) use context::{Context, Hooks, prime};
pub(crate) use link::Link;
pub(crate) use patience::{is_moving, patiently};
pub(crate) use probe::{Plain, Probe, connect, plain};
pub use statistics::{BrokerStatistics, ClientStatistics, PartitionStatistics};
