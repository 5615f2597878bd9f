//! A handler that takes too long is dropped, and the attempt has failed.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};
use tower_layer::Layer;
use tower_service::Service;

use super::{Arrival, Pulse};
use crate::{error::BoxError, outcome::Failure};

/// Adds [`Timeout`].
#[derive(Clone, Debug)]
pub struct TimeoutLayer {
    limit: Option<Duration>,
    pulse: Pulse,
}

impl TimeoutLayer {
    /// At most `limit` for one attempt; `None` is no limit.
    #[must_use]
    pub fn new(limit: Option<Duration>, pulse: Pulse) -> Self {
        Self { limit, pulse }
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = Timeout<S>;

    fn layer(&self, inner: S) -> Timeout<S> {
        let nanos = self
            .limit
            .map(|limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        Timeout {
            inner,
            nanos,
            pulse: self.pulse.clone(),
        }
    }
}

/// Ends an attempt by dropping the handler's future at its await point when its time is over.
///
/// The clock starts at the first await that has to wait: a handler that never waits costs nothing, and cannot be stopped.
#[derive(Clone, Debug)]
pub struct Timeout<S> {
    inner: S,
    nanos: Option<u64>,
    pulse: Pulse,
}

impl<R, S> Service<R> for Timeout<S>
where
    R: Arrival,
    S: Service<R, Response = R::Handled, Error = BoxError>,
{
    type Response = R::Handled;
    type Error = BoxError;
    type Future = TimeoutFuture<S::Future>;

    #[inline(always)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    #[inline(always)]
    fn call(&mut self, request: R) -> Self::Future {
        let limit = self.nanos.map(|nanos| (nanos, self.pulse.clone()));
        TimeoutFuture {
            inner: self.inner.call(request),
            limit,
            deadline: None,
            timer: None,
        }
    }
}

pin_project! {
    /// The future of [`Timeout`].
    #[derive(Debug)]
    pub struct TimeoutFuture<F> {
        #[pin]
        inner: F,
        limit: Option<(u64, Pulse)>,
        deadline: Option<u64>,
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<F, H> Future for TimeoutFuture<F>
where
    F: Future<Output = Result<H, BoxError>>,
    H: From<Failure>,
{
    type Output = Result<H, BoxError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(result) = this.inner.poll(cx) {
            return Poll::Ready(result);
        }
        let Some((nanos, pulse)) = this.limit else {
            return Poll::Pending;
        };
        let deadline = *this
            .deadline
            .get_or_insert_with(|| pulse.now().saturating_add(*nanos));
        if expired(pulse, deadline, this.timer, cx) {
            let limit = crate::units::Short(Duration::from_nanos(*nanos));
            return Poll::Ready(Ok(Failure::retry(format!(
                "handler took longer than {limit}"
            ))
            .kind("timeout")
            .into()));
        }
        Poll::Pending
    }
}

/// Whether the deadline has passed; if not, sees to it that the task is woken then.
fn expired(
    pulse: &Pulse,
    deadline: u64,
    timer: &mut Option<Pin<Box<Sleep>>>,
    cx: &mut Context<'_>,
) -> bool {
    if pulse.arm(deadline) {
        return pulse.now() >= deadline;
    }
    // A user layer polls this in a task of its own, or there is no loop: a timer is needed.
    timer
        .get_or_insert_with(|| Box::pin(sleep_until(pulse.instant(deadline))))
        .as_mut()
        .poll(cx)
        .is_ready()
}

#[cfg(test)]
mod tests {
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::{binder::Delivery, message::Message, middleware::Handled};

    #[tokio::test(start_paused = true)]
    async fn without_a_loop_a_timer_ends_the_attempt() {
        let never = service_fn(|_: Delivery| std::future::pending::<Result<Handled, BoxError>>());
        let service = TimeoutLayer::new(Some(Duration::from_secs(30)), Pulse::new()).layer(never);
        let mut handled = service
            .oneshot(Delivery::of(Message::new("x")))
            .await
            .expect("no layer error");
        let failure = handled.failure_mut().expect("failed");
        assert_eq!(
            (failure.error_type(), failure.message()),
            ("timeout", "handler took longer than 30s")
        );
    }
}
