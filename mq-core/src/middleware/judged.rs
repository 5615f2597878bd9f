//! Layers that look at what became of a call: retry, circuit breaker and dead letter are judges around one future.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::Arrival;
use crate::error::BoxError;

/// Looks at the answer of every call, and may write into its failures what comes next.
///
/// Judges one after another are a tuple, the innermost first: they share one future, and cost a call that goes well one look.
/// Where nothing stands between them and the worker that makes the calls, they need no future at all: the worker asks them itself.
pub trait Judge: Clone + Send + 'static {
    /// What is kept for one call.
    type Case: Send + 'static;

    /// Whether a call may begin; arranges to be woken if not.
    #[inline(always)]
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        Poll::Ready(())
    }

    /// A call begins. A case that is dropped without being judged was given up half-way.
    fn begin(&mut self) -> Self::Case;

    /// The call has ended.
    fn judge<R: Arrival>(&self, case: Self::Case, handled: &mut R::Handled, mark: &R::Mark);
}

/// Nobody looks.
impl Judge for () {
    type Case = ();

    #[inline(always)]
    fn begin(&mut self) {}

    #[inline(always)]
    fn judge<R: Arrival>(&self, (): (), _: &mut R::Handled, _: &R::Mark) {}
}

impl<A: Judge, B: Judge, C: Judge> Judge for (A, B, C) {
    type Case = (A::Case, B::Case, C::Case);

    #[inline(always)]
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.2.poll_open(cx));
        ready!(self.1.poll_open(cx));
        self.0.poll_open(cx)
    }

    #[inline(always)]
    fn begin(&mut self) -> Self::Case {
        (self.0.begin(), self.1.begin(), self.2.begin())
    }

    #[inline(always)]
    fn judge<R: Arrival>(&self, case: Self::Case, handled: &mut R::Handled, mark: &R::Mark) {
        self.0.judge::<R>(case.0, handled, mark);
        self.1.judge::<R>(case.1, handled, mark);
        self.2.judge::<R>(case.2, handled, mark);
    }
}

/// Adds [`Judged`].
#[derive(Clone, Debug)]
pub struct JudgeLayer<J>(J);

impl<J: Judge> JudgeLayer<J> {
    /// With this judge.
    #[must_use]
    pub fn new(judge: J) -> Self {
        Self(judge)
    }
}

impl<J: Judge, S> Layer<S> for JudgeLayer<J> {
    type Service = Judged<S, J>;

    fn layer(&self, inner: S) -> Judged<S, J> {
        Judged {
            inner,
            judge: self.0.clone(),
        }
    }
}

/// A service whose answers are judged.
#[derive(Clone, Debug)]
pub struct Judged<S, J> {
    inner: S,
    judge: J,
}

impl<R, S, J> Service<R> for Judged<S, J>
where
    R: Arrival,
    S: Service<R, Response = R::Handled, Error = BoxError>,
    J: Judge,
{
    type Response = R::Handled;
    type Error = BoxError;
    type Future = JudgedFuture<S::Future, R, J>;

    #[inline(always)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        ready!(self.judge.poll_open(cx));
        self.inner.poll_ready(cx)
    }

    #[inline(always)]
    fn call(&mut self, request: R) -> Self::Future {
        JudgedFuture {
            case: Some(self.judge.begin()),
            judge: self.judge.clone(),
            mark: request.mark(),
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    /// The future of [`Judged`].
    pub struct JudgedFuture<F, R, J>
    where
        R: Arrival,
        J: Judge,
    {
        #[pin]
        inner: F,
        mark: R::Mark,
        judge: J,
        case: Option<J::Case>,
    }
}

impl<F, R, J> Future for JudgedFuture<F, R, J>
where
    R: Arrival,
    F: Future<Output = Result<R::Handled, BoxError>>,
    J: Judge,
{
    type Output = Result<R::Handled, BoxError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut handled = ready!(this.inner.poll(cx))?;
        if let Some(case) = this.case.take() {
            this.judge.judge::<R>(case, &mut handled, this.mark);
        }
        Poll::Ready(Ok(handled))
    }
}
