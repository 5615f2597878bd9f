//! What a binding is run with, once everything is decided.

use std::{sync::Arc, time::Duration};

use crate::{
    binder::{Capabilities, Capability, ConsumerSpec, SettlementStyle},
    clock::Clock,
    listener::{BuildOptions, Listener, Ready, Style},
    middleware::LetterOptions,
    output::{BinderSlot, Outlet},
    policy::{Exhausted, Ordering, WindowPolicy},
    telemetry::BindingMetrics,
};

/// How a delayed attempt waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelayStyle {
    /// Unsettled, at its source; the framework calls again when it is due.
    Held,
    /// Given back to the broker, which keeps the delay.
    Native,
    /// A copy in a retry destination of the group; the original is settled once the copy is confirmed.
    Destination,
}

/// A retry destination of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryDestination {
    /// How long messages wait there.
    pub delay: Duration,
    /// Its name: `<destination>.<group>.retry.<delay>`.
    pub name: Arc<str>,
    /// The destination whose messages wait there.
    pub of: Arc<str>,
}

/// Everything that an input binding is run with.
pub struct InputPlan {
    /// The binding's name.
    pub name: Arc<str>,
    /// Its listener.
    pub listener: Listener,
    /// The binder instance's name.
    pub binder_name: Arc<str>,
    /// The binder instance.
    pub binder: BinderSlot,
    /// What it can do for this binding.
    pub capabilities: Capabilities,
    /// The subscription.
    pub spec: ConsumerSpec,
    /// The group's retry destinations; they are part of the subscription.
    pub retry_destinations: Vec<RetryDestination>,
    /// What must be handled one after the other.
    pub ordering: Ordering,
    /// How much may be unsettled.
    pub window: WindowPolicy,
    /// The largest payload that is handled, in bytes.
    pub max_payload: Option<u64>,
    /// Whether a message without a key is refused.
    pub require_key: bool,
    /// What happens when no attempts are left.
    pub exhausted: Exhausted,
    /// How dead letters are made.
    pub letters: LetterOptions,
    /// How the worker is built.
    pub build: BuildOptions,
    /// The prepared function.
    pub ready: Box<dyn Ready>,
    /// Where return values go, in order.
    pub outlets: Vec<Arc<Outlet>>,
    /// Where dead letters and delayed copies go.
    pub letter_outlet: Arc<Outlet>,
    /// Whether outputs and settlements are one atomic step of the broker.
    pub transactional: bool,
    /// How long a drain may take.
    pub drain: Duration,
    /// The clock.
    pub clock: Clock,
}

impl InputPlan {
    /// The binding's counters.
    #[must_use]
    pub fn metrics(&self) -> &Arc<BindingMetrics> {
        &self.build.stack.metrics
    }

    /// Whether the broker takes positions instead of single settlements.
    #[must_use]
    pub fn is_positional(&self) -> bool {
        self.capabilities.settlement == SettlementStyle::Positional
    }

    /// How many calls may be under way where `wanted` are asked for: batches of an ordered binding go one after the other, so that a
    /// key is in one batch at a time.
    #[must_use]
    pub fn concurrency(&self, wanted: usize) -> usize {
        if self.listener.style() == Style::Batch && self.ordering != Ordering::None {
            1
        } else {
            wanted
        }
    }

    /// How a delayed attempt waits; `ordered` tells whether the message's key or partition waits with it.
    #[must_use]
    pub fn delay_style(&self, ordered: bool, delay: Duration) -> DelayStyle {
        if ordered || self.spec.group.is_none() {
            DelayStyle::Held
        } else if self.capabilities.settles_each()
            && self.capabilities.has(Capability::DelayedRedelivery)
        {
            DelayStyle::Native
        } else if self
            .retry_destinations
            .iter()
            .any(|retry| retry.delay == delay)
        {
            DelayStyle::Destination
        } else {
            DelayStyle::Held
        }
    }
}

impl std::fmt::Debug for InputPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InputPlan")
            .field("name", &self.name)
            .field("listener", &self.listener)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}
