//! A panic in a handler becomes a failure that is retried.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::Arrival;
use crate::{error::BoxError, outcome::Failure};

/// Adds [`CatchPanic`].
#[derive(Clone, Copy, Debug, Default)]
pub struct CatchPanicLayer;

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanic<S>;

    fn layer(&self, inner: S) -> CatchPanic<S> {
        CatchPanic { inner }
    }
}

/// Catches panics of the call and of every poll; the future that panicked is dropped and never polled again.
///
/// A program built with `panic = "abort"` ends instead, and the broker delivers the message again.
#[derive(Clone, Debug)]
pub struct CatchPanic<S> {
    inner: S,
}

impl<R, S> Service<R> for CatchPanic<S>
where
    R: Arrival,
    S: Service<R, Response = R::Handled, Error = BoxError>,
{
    type Response = R::Handled;
    type Error = BoxError;
    type Future = CatchPanicFuture<S::Future, R::Handled>;

    #[inline(always)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    #[inline(always)]
    fn call(&mut self, request: R) -> Self::Future {
        match catch_unwind(AssertUnwindSafe(|| self.inner.call(request))) {
            Ok(future) => CatchPanicFuture::Running { future },
            Err(panic) => CatchPanicFuture::Panicked {
                handled: Some(panicked(&*panic).into()),
            },
        }
    }
}

pin_project! {
    /// The future of [`CatchPanic`].
    #[project = Projected]
    #[allow(missing_docs, reason = "the macro takes no documentation on pinned fields")]
    #[derive(Debug)]
    pub enum CatchPanicFuture<F, H> {
        /// The call went well; its future is running.
        Running {
            #[pin]
            future: F,
        },
        /// The call itself panicked.
        Panicked {
            handled: Option<H>,
        },
    }
}

impl<F, H> Future for CatchPanicFuture<F, H>
where
    F: Future<Output = Result<H, BoxError>>,
    H: From<Failure>,
{
    type Output = Result<H, BoxError>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match self.as_mut().project() {
            Projected::Running { future } => catch_unwind(AssertUnwindSafe(|| future.poll(cx))),
            Projected::Panicked { handled } => {
                return Poll::Ready(Ok(handled.take().unwrap_or_else(polled_again)));
            }
        };
        match result {
            Ok(poll) => Poll::Ready(ready!(poll)),
            Err(panic) => {
                self.set(Self::Panicked { handled: None });
                Poll::Ready(Ok(panicked(&*panic).into()))
            }
        }
    }
}

fn polled_again<H: From<Failure>>() -> H {
    Failure::retry("polled after a panic").kind("panic").into()
}

/// The failure of a call that has panicked.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Failure::retry(format!(
        "handler panicked: {}",
        text.unwrap_or("no message")
    ))
    .kind("panic")
}

#[cfg(test)]
mod tests {
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::{binder::Delivery, message::Message, middleware::Handled};

    async fn run<F>(handler: fn(Delivery) -> F) -> Handled
    where
        F: Future<Output = Result<Handled, BoxError>>,
    {
        let service = CatchPanicLayer.layer(service_fn(handler));
        service
            .oneshot(Delivery::of(Message::new("x")))
            .await
            .expect("no layer error")
    }

    #[tokio::test]
    async fn a_panic_in_the_call_and_in_a_poll_become_failures() {
        async fn later(_: Delivery) -> Result<Handled, BoxError> {
            tokio::task::yield_now().await;
            panic!("in a poll {}", 2)
        }
        fn at_once(_: Delivery) -> std::future::Ready<Result<Handled, BoxError>> {
            panic!("in the call")
        }
        let mut first = run(at_once).await;
        let mut second = run(later).await;
        assert_eq!(
            first.failure_mut().map(|f| f.message().to_owned()),
            Some("handler panicked: in the call".into())
        );
        assert_eq!(
            second.failure_mut().map(|f| f.message().to_owned()),
            Some("handler panicked: in a poll 2".into())
        );
        assert_eq!(
            second.failure_mut().map(|f| f.error_type().to_owned()),
            Some("panic".into())
        );
    }
}
