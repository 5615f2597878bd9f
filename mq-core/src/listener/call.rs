//! The calls of a function that handles single messages.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Replies, Returned};
use crate::{
    binder::Delivery,
    error::BoxError,
    message::IdSeed,
    middleware::Handled,
    outcome::{Failure, Outcome},
};

/// A function with its prepared parameters.
pub(super) trait Function: Send + Sync + 'static {
    /// What the function returns at last.
    type Returned: Returned + Send + 'static;

    /// What it returns at once.
    type Future: Future<Output = Self::Returned> + Send + 'static;

    /// Whether no parameter has to be waited for.
    const AT_ONCE: bool;

    /// Makes the parameters, for which nothing has to be waited for, and calls the function.
    fn call(&self, delivery: &Delivery) -> Result<Self::Future, Failure>;

    /// The same where something may have to be waited for.
    fn call_later(
        &self,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<Self::Future, Failure>> + Send;

    /// Where the ids of the outputs begin.
    fn seeds(&self) -> &[IdSeed];
}

/// What a call keeps until its answer is made.
pub(super) trait Keep<P>: Send + 'static {
    fn keep(function: &Arc<P>, delivery: Delivery) -> Self;

    /// Makes the answer.
    fn answer(&self, outcome: Outcome, replies: &mut Replies) -> Handled;
}

/// A function without outputs needs nothing.
impl<P> Keep<P> for () {
    #[inline(always)]
    fn keep(_: &Arc<P>, _: Delivery) {}

    #[inline(always)]
    fn answer(&self, outcome: Outcome, _: &mut Replies) -> Handled {
        outcome.into()
    }
}

/// What outputs are made with.
pub(super) type ForOutputs<P> = (Arc<P>, Delivery);

impl<P: Function> Keep<P> for ForOutputs<P> {
    #[inline(always)]
    fn keep(function: &Arc<P>, delivery: Delivery) -> Self {
        (function.clone(), delivery)
    }

    #[inline(always)]
    fn answer(&self, outcome: Outcome, replies: &mut Replies) -> Handled {
        let (function, delivery) = self;
        replies.answer(delivery, outcome, function.seeds())
    }
}

/// A function whose parameters are made at once, as a service.
///
/// It has begun when `call` returns: its future keeps nothing that it does not need.
pub(super) struct AtOnce<P, K>(Arc<P>, PhantomData<fn() -> K>);

impl<P, K> AtOnce<P, K> {
    pub(super) fn new(function: Arc<P>) -> Self {
        Self(function, PhantomData)
    }
}

impl<P, K> Clone for AtOnce<P, K> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl<P: Function, K: Keep<P>> Service<Delivery> for AtOnce<P, K> {
    type Response = Handled;
    type Error = BoxError;
    type Future = Call<P, K>;

    #[inline(always)]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    #[inline(always)]
    fn call(&mut self, delivery: Delivery) -> Call<P, K> {
        match self.0.call(&delivery) {
            Ok(future) => Call::Begun {
                future,
                kept: K::keep(&self.0, delivery),
            },
            Err(failure) => Call::Refused {
                failure: Some(failure),
            },
        }
    }
}

pin_project! {
    /// The future of a call that has begun.
    #[project = Projected]
    pub(super) enum Call<P: Function, K> {
        Begun {
            #[pin]
            future: P::Future,
            kept: K,
        },
        /// A parameter cannot be made.
        Refused {
            failure: Option<Failure>,
        },
    }
}

impl<P: Function, K: Keep<P>> Future for Call<P, K> {
    type Output = Result<Handled, BoxError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let handled = match self.project() {
            Projected::Begun { future, kept } => {
                let returned = ready!(future.poll(cx));
                let mut replies = Replies::default();
                let outcome = returned.returned(&mut replies);
                kept.answer(outcome, &mut replies)
            }
            Projected::Refused { failure } => failure.take().map(Handled::from).unwrap_or_default(),
        };
        Poll::Ready(Ok(handled))
    }
}

/// Calls a function whose parameters may have to be waited for.
pub(super) async fn handle_later<P: Function>(
    function: Arc<P>,
    delivery: Delivery,
) -> Result<Handled, BoxError> {
    let called = match function.call_later(&delivery).await {
        Ok(called) => called,
        Err(failure) => return Ok(failure.into()),
    };
    let returned = called.await;
    let mut replies = Replies::default();
    let outcome = returned.returned(&mut replies);
    Ok(replies.answer(&delivery, outcome, function.seeds()))
}
