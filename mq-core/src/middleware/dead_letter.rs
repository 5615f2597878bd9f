//! Decides what becomes of a message when no attempts are left.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::Arrival;
use crate::{error::BoxError, outcome::Next, policy::Exhausted};

/// Adds [`DeadLetter`].
#[derive(Clone, Copy, Debug)]
pub struct DeadLetterLayer {
    exhausted: Exhausted,
}

impl DeadLetterLayer {
    /// What `exhausted` says happens when no attempts are left.
    #[must_use]
    pub fn new(exhausted: Exhausted) -> Self {
        Self { exhausted }
    }
}

impl<S> Layer<S> for DeadLetterLayer {
    type Service = DeadLetter<S>;

    fn layer(&self, inner: S) -> DeadLetter<S> {
        DeadLetter {
            inner,
            exhausted: self.exhausted,
        }
    }
}

/// Turns exhausted failures into what the binding's `exhausted` says.
///
/// The loop publishes the dead letter and settles the message only once that is confirmed.
#[derive(Clone, Debug)]
pub struct DeadLetter<S> {
    inner: S,
    exhausted: Exhausted,
}

impl<R, S> Service<R> for DeadLetter<S>
where
    R: Arrival,
    S: Service<R, Response = R::Handled, Error = BoxError>,
{
    type Response = R::Handled;
    type Error = BoxError;
    type Future = DeadLetterFuture<S::Future, R>;

    #[inline(always)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    #[inline(always)]
    fn call(&mut self, request: R) -> Self::Future {
        let mark = request.mark();
        DeadLetterFuture {
            inner: self.inner.call(request),
            mark,
            exhausted: self.exhausted,
        }
    }
}

pin_project! {
    /// The future of [`DeadLetter`].
    #[derive(Debug)]
    pub struct DeadLetterFuture<F, R>
    where
        R: Arrival,
    {
        #[pin]
        inner: F,
        mark: R::Mark,
        exhausted: Exhausted,
    }
}

impl<F, R> Future for DeadLetterFuture<F, R>
where
    R: Arrival,
    F: Future<Output = Result<R::Handled, BoxError>>,
{
    type Output = Result<R::Handled, BoxError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut handled = ready!(this.inner.poll(cx))?;
        let next = next(*this.exhausted);
        R::failures(&mut handled, this.mark, |failure, _| {
            if failure.next() == Some(Next::Exhausted) {
                failure.set_next(next);
            }
        });
        Poll::Ready(Ok(handled))
    }
}

fn next(exhausted: Exhausted) -> Next {
    match exhausted {
        Exhausted::DeadLetter => Next::DeadLetter,
        Exhausted::Stop => Next::Stop,
        Exhausted::Requeue => Next::Requeue,
        Exhausted::Discard => Next::Discard,
    }
}
