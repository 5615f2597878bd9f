//! The standard stack, put together.

use std::{sync::Arc, time::Duration};

use tower_layer::Layer;

use super::{
    Breaker, CatchPanic, CatchPanicLayer, DeadLetter, Idempotency, IdempotencyLayer, JudgeLayer,
    Judged, Observer, Pulse, Retry, Timeout, TimeoutLayer,
};
use crate::{
    policy::{BreakerPolicy, Exhausted, RetryPolicy},
    telemetry::BindingMetrics,
};

/// The judges, the innermost first.
pub type Judges = (Retry, Breaker, DeadLetter);

/// Everything below the user's layers, around a listener `L`; one type for each listener, no box.
pub type Standard<L> = Judged<Idempotency<Timeout<CatchPanic<L>>>, Judges>;

/// What the standard stack of one binding is made with.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// The binding's name.
    pub binding: Arc<str>,
    /// Its counters.
    pub metrics: Arc<BindingMetrics>,
    /// Its loop's clock.
    pub pulse: Pulse,
    /// When a failed message is tried again.
    pub retry: RetryPolicy,
    /// What happens when no attempts are left.
    pub exhausted: Exhausted,
    /// When fetching pauses.
    pub breaker: Option<BreakerPolicy>,
    /// How messages are known again.
    pub idempotency: Option<IdempotencyLayer>,
    /// The longest time for one attempt.
    pub timeout: Option<Duration>,
}

impl StackOptions {
    /// The default policies.
    #[must_use]
    pub fn new(binding: impl Into<Arc<str>>) -> Self {
        Self {
            binding: binding.into(),
            metrics: BindingMetrics::shared(),
            pulse: Pulse::new(),
            retry: RetryPolicy::default(),
            exhausted: Exhausted::default(),
            breaker: None,
            idempotency: None,
            timeout: Some(Duration::from_secs(30)),
        }
    }

    /// What decides what comes after a failure.
    #[must_use]
    pub fn judges(&self) -> Judges {
        (
            Retry::new(self.retry.clone()),
            Breaker::new(self.breaker.clone()),
            DeadLetter::new(self.exhausted),
        )
    }

    /// What counts and traces the calls of the stack.
    #[must_use]
    pub fn observer(&self) -> Observer {
        Observer::new(
            self.binding.clone(),
            self.metrics.clone(),
            self.pulse.clone(),
        )
    }
}

/// Puts the standard stack around `listener`.
#[must_use]
pub fn standard<L>(listener: L, options: &StackOptions) -> Standard<L> {
    let service = CatchPanicLayer.layer(listener);
    let service = TimeoutLayer::new(options.timeout).layer(service);
    let service = Idempotency::new(service, options.idempotency.clone());
    JudgeLayer::new(options.judges()).layer(service)
}
