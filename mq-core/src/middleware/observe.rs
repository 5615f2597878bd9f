//! Counts and traces every attempt; the outermost layer.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;

use super::{Arrival, Pulse};
use crate::{error::BoxError, message::names, outcome::Outcome, telemetry::BindingMetrics};

/// Adds [`Observe`].
#[derive(Clone, Debug)]
pub struct ObserveLayer(Arc<Observer>);

#[derive(Debug)]
struct Observer {
    binding: Arc<str>,
    metrics: Arc<BindingMetrics>,
    pulse: Pulse,
}

impl ObserveLayer {
    /// Counts into `metrics`, with the time of `pulse`.
    #[must_use]
    pub fn new(binding: Arc<str>, metrics: Arc<BindingMetrics>, pulse: Pulse) -> Self {
        Self(Arc::new(Observer {
            binding,
            metrics,
            pulse,
        }))
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe {
            inner,
            observer: self.0.clone(),
        }
    }
}

/// Measures every attempt, counts its outcome, and opens a span around it where somebody listens.
#[derive(Clone, Debug)]
pub struct Observe<S> {
    inner: S,
    observer: Arc<Observer>,
}

impl<R, S> Service<R> for Observe<S>
where
    R: Arrival,
    S: Service<R, Response = R::Handled, Error = BoxError>,
{
    type Response = R::Handled;
    type Error = BoxError;
    type Future = ObserveFuture<S::Future, R>;

    #[inline(always)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    #[inline(always)]
    fn call(&mut self, request: R) -> Self::Future {
        let span = self.observer.span(&request);
        let mark = request.mark();
        let started = self.observer.pulse.now();
        let inner = match &span {
            None => self.inner.call(request),
            Some(span) => span.in_scope(|| self.inner.call(request)),
        };
        ObserveFuture {
            inner,
            mark,
            observer: self.observer.clone(),
            started,
            span,
        }
    }
}

impl Observer {
    fn span<R: Arrival>(&self, request: &R) -> Option<Box<Span>> {
        if !tracing::enabled!(target: "mq::delivery", tracing::Level::INFO) {
            return None;
        }
        let deliveries = request.deliveries();
        let first = deliveries.first()?;
        let traceparent = first.headers().text(names::TRACEPARENT);
        Some(Box::new(tracing::info_span!(
            target: "mq::delivery",
            "process",
            binding = &*self.binding,
            messaging.destination.name = first.destination(),
            messaging.batch.message_count = deliveries.len(),
            messaging.message.id = %first.id(),
            attempt = first.attempt(),
            traceparent,
        )))
    }

    fn finished<R: Arrival>(&self, started: u64, handled: &R::Handled, mark: &R::Mark) {
        let metrics = &self.metrics;
        metrics
            .latency
            .record(self.pulse.refresh().saturating_sub(started));
        let mut successes = 0;
        R::outcomes(handled, mark, |outcome| match outcome {
            Outcome::Ack => successes += 1,
            Outcome::Failed(failure) => {
                metrics.failed.increment();
                match failure.error_type() {
                    "panic" => metrics.panics.increment(),
                    "timeout" => metrics.timeouts.increment(),
                    "undecodable" => metrics.undecodable.increment(),
                    _ => {}
                }
            }
        });
        metrics.handled.add(successes);
    }
}

pin_project! {
    /// The future of [`Observe`].
    #[derive(Debug)]
    pub struct ObserveFuture<F, R>
    where
        R: Arrival,
    {
        #[pin]
        inner: F,
        mark: R::Mark,
        observer: Arc<Observer>,
        started: u64,
        span: Option<Box<Span>>,
    }
}

impl<F, R> Future for ObserveFuture<F, R>
where
    R: Arrival,
    F: Future<Output = Result<R::Handled, BoxError>>,
{
    type Output = Result<R::Handled, BoxError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let handled = match this.span {
            None => ready!(this.inner.poll(cx)),
            Some(span) => ready!(span.in_scope(|| this.inner.poll(cx))),
        }?;
        this.observer
            .finished::<R>(*this.started, &handled, this.mark);
        Poll::Ready(Ok(handled))
    }
}
