//! What is counted and traced, per binding.

mod histogram;
mod metrics;

pub(crate) use histogram::Tally;
pub use histogram::{Histogram, LatencySummary};
pub use metrics::{BindingMetrics, Counter, MetricsSnapshot};
