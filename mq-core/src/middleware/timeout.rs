//! A handler that takes too long is dropped, and the attempt has failed.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_layer::Layer;
use tower_service::Service;

use super::{Arrival, NEVER, Pulse};
use crate::{error::BoxError, outcome::Failure};

/// Adds [`Timeout`].
#[derive(Clone, Copy, Debug)]
pub struct TimeoutLayer {
    limit: Option<Duration>,
}

impl TimeoutLayer {
    /// At most `limit` for one attempt; `None` is no limit.
    #[must_use]
    pub fn new(limit: Option<Duration>) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = Timeout<S>;

    fn layer(&self, inner: S) -> Timeout<S> {
        let nanos = |limit: Duration| u64::try_from(limit.as_nanos()).unwrap_or(NEVER);
        Timeout {
            inner,
            limit: self.limit.map_or(NEVER, nanos),
        }
    }
}

/// Ends an attempt by dropping the handler's future at its await point when its time is over.
///
/// The clock starts at the first await that has to wait: a handler that never waits costs nothing, and cannot be stopped.
#[derive(Clone, Debug)]
pub struct Timeout<S> {
    inner: S,
    /// In nanoseconds.
    limit: u64,
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
        TimeoutFuture {
            inner: self.inner.call(request),
            limit: self.limit,
            deadline: NEVER,
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
        limit: u64,
        deadline: u64,
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
        if *this.limit != NEVER && is_over(*this.limit, this.deadline, this.timer, cx) {
            return Poll::Ready(Ok(took_longer(*this.limit).into()));
        }
        Poll::Pending
    }
}

/// The failure of a call that took longer than `limit`, in nanoseconds.
#[cold]
pub(crate) fn took_longer(limit: u64) -> Failure {
    let limit = crate::units::Short(Duration::from_nanos(limit));
    Failure::retry(format!("handler took longer than {limit}")).kind("timeout")
}

/// Whether the deadline has passed; if not, sees to it that the task is woken then.
fn is_over(
    limit: u64,
    deadline: &mut u64,
    timer: &mut Option<Pin<Box<Sleep>>>,
    cx: &mut Context<'_>,
) -> bool {
    let by_pulse = Pulse::with_driving(|pulse| {
        if *deadline == NEVER {
            *deadline = pulse.now().saturating_add(limit);
        }
        pulse.is_over(*deadline)
    });
    // A user layer polls this in a task of its own, or there is no loop: a timer is needed.
    by_pulse.unwrap_or_else(|| {
        timer
            .get_or_insert_with(|| Box::pin(sleep(Duration::from_nanos(limit))))
            .as_mut()
            .poll(cx)
            .is_ready()
    })
}

#[cfg(test)]
mod tests {
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::{binder::Delivery, message::Message, middleware::Handled};

    #[tokio::test(start_paused = true)]
    async fn without_a_loop_a_timer_ends_the_attempt() {
        let never = service_fn(|_: Delivery| std::future::pending::<Result<Handled, BoxError>>());
        let service = TimeoutLayer::new(Some(Duration::from_secs(30))).layer(never);
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
