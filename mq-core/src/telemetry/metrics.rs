//! Counters of one binding.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{Histogram, LatencySummary};

/// A counter that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters and the latency of one binding; shared by layers, loop and reports.
        #[derive(Debug, Default)]
        pub struct BindingMetrics {
            $($(#[$doc])* pub $name: Counter,)*
            /// How long handlers took, attempt by attempt.
            pub latency: Histogram,
        }

        /// The counters of one binding at one moment.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct MetricsSnapshot {
            $($(#[$doc])* pub $name: u64,)*
            /// How long handlers took, attempt by attempt.
            pub latency: LatencySummary,
        }

        impl BindingMetrics {
            /// Reads every counter.
            #[must_use]
            pub fn snapshot(&self) -> MetricsSnapshot {
                MetricsSnapshot { $($name: self.$name.get(),)* latency: self.latency.summary() }
            }
        }

        impl MetricsSnapshot {
            /// Every counter with its name, in the order of declaration.
            #[must_use]
            pub fn counters(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

counters! {
    /// Messages received from the broker, redeliveries included.
    received,
    /// Attempts that succeeded.
    handled,
    /// Attempts that failed, undecodable messages included.
    failed,
    /// Repetitions in place.
    retries,
    /// Attempts put off durably: by the broker, in a retry destination, or held at the source.
    delayed,
    /// Attempts put off because the message was not handled at all (overload, a claim held elsewhere).
    deferred,
    /// Messages that did not decode.
    undecodable,
    /// Handlers that panicked.
    panics,
    /// Handlers that did not return in time.
    timeouts,
    /// Messages whose effect was there already: acknowledged without the handler.
    duplicates,
    /// Dead letters that the broker has confirmed.
    dead_letters,
    /// Messages discarded on purpose.
    discarded,
    /// Messages given back to the broker.
    released,
    /// Messages without a key on a binding ordered by key: handled without order.
    keyless,
    /// Outputs that the broker has confirmed.
    published,
    /// Publications that failed and were repeated.
    publish_failures,
    /// Settlements that came too late: the message is delivered again.
    lost,
    /// Subscriptions made anew after the broker was away.
    reconnects,
}

impl BindingMetrics {
    /// New counters.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        Arc::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_names_every_counter() {
        let metrics = BindingMetrics::default();
        metrics.retries.add(3);
        let counters = metrics.snapshot().counters();
        assert!(counters.contains(&("retries", 3)));
        assert_eq!(counters.first(), Some(&("received", 0)));
    }
}
