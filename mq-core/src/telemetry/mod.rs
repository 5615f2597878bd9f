//! What is counted and traced, per binding.

mod histogram;
mod metrics;

pub use histogram::{Histogram, LatencySummary};
pub use metrics::{BindingMetrics, Counter, MetricsSnapshot};
