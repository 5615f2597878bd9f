//! Counts and traces every call of a stack, outside of all its layers.

use std::sync::Arc;

use tracing::Span;

use super::{Arrival, Pulse};
use crate::{
    message::names,
    outcome::{Failure, Outcome},
    telemetry::{BindingMetrics, Tally},
};

/// Measures every attempt, counts its outcome, and opens a span around it where somebody listens.
///
/// It belongs to the worker that makes the calls and not to each call, so that a call carries nothing of it.
/// What it counts is added to the binding's metrics at the end of each turn of the worker, or when it is dropped.
#[derive(Debug)]
pub struct Observer {
    binding: Arc<str>,
    metrics: Arc<BindingMetrics>,
    pulse: Pulse,
    tally: Tally,
    handled: u64,
    is_traced: bool,
}

/// A call that is under way.
#[derive(Debug)]
pub(crate) struct Observed {
    started: u64,
    span: Option<Box<Span>>,
}

impl Observed {
    /// The span around the call, where somebody listens.
    #[inline(always)]
    pub(crate) fn span(&self) -> Option<&Span> {
        self.span.as_deref()
    }
}

impl Observer {
    /// Counts into `metrics`, with the time of `pulse`.
    #[must_use]
    pub fn new(binding: Arc<str>, metrics: Arc<BindingMetrics>, pulse: Pulse) -> Self {
        Self {
            binding,
            metrics,
            pulse,
            tally: Tally::default(),
            handled: 0,
            is_traced: false,
        }
    }

    /// The clock it goes by.
    pub(crate) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// A turn of the worker begins; returns the time.
    pub(crate) fn begin_turn(&mut self) -> u64 {
        self.is_traced = tracing::enabled!(target: "mq::delivery", tracing::Level::INFO);
        self.pulse.begin_turn()
    }

    /// A turn of the worker ends: what was counted becomes visible.
    pub(crate) fn end_turn(&mut self) {
        self.tally.pour_into(&self.metrics.latency);
        if self.handled > 0 {
            self.metrics.handled.add(std::mem::take(&mut self.handled));
        }
    }

    /// A call begins.
    #[inline(always)]
    pub(crate) fn begin<R: Arrival>(&self, request: &R) -> Observed {
        Observed {
            started: self.pulse.now(),
            span: if self.is_traced {
                self.span(request)
            } else {
                None
            },
        }
    }

    /// The call has been answered.
    #[inline(always)]
    pub(crate) fn finished<R: Arrival>(
        &mut self,
        call: Observed,
        handled: &R::Handled,
        request: &R,
    ) {
        let now = self.pulse.refresh();
        let Observed { started, span } = call;
        if let Some(span) = span {
            close(span);
        }
        self.tally.record(now.saturating_sub(started));
        let (mut successes, metrics) = (0, &self.metrics);
        R::all_outcomes(handled, request, |outcome, count| match outcome {
            Outcome::Ack => successes += count,
            Outcome::Failed(failure) => count_failures(metrics, failure, count),
        });
        self.handled += successes;
    }

    fn span<R: Arrival>(&self, request: &R) -> Option<Box<Span>> {
        let deliveries = request.deliveries();
        let first = deliveries.first()?;
        let traceparent = first.headers().text(names::TRACEPARENT);
        Some(Box::new(tracing::info_span!(
            target: "mq::delivery",
            "process",
            binding = &*self.binding,
            messaging.destination.name = first.destination(),
            messaging.destination.partition.id = first.partition(),
            position = first.record().position,
            messaging.batch.message_count = deliveries.len(),
            messaging.message.id = %first.id(),
            attempt = first.attempt(),
            traceparent,
        )))
    }
}

#[cold]
fn close(span: Box<Span>) {
    drop(span);
}

#[cold]
fn count_failures(metrics: &BindingMetrics, failure: &Failure, count: u64) {
    metrics.failed.add(count);
    match failure.error_type() {
        "panic" => metrics.panics.add(count),
        "timeout" => metrics.timeouts.add(count),
        "undecodable" => metrics.undecodable.add(count),
        _ => {}
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.end_turn();
    }
}
