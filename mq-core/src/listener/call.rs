//! The calls of a function that handles single messages.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Replies, Returned};
use crate::{
    binder::Delivery, error::BoxError, message::IdSeed, middleware::Handled, outcome::Failure,
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

/// A function whose parameters are made at once, as a service.
///
/// It has begun when `call` returns: its future keeps nothing that it does not need.
pub(super) struct AtOnce<P>(Arc<P>);

impl<P> AtOnce<P> {
    pub(super) fn new(function: Arc<P>) -> Self {
        Self(function)
    }
}

impl<P> Clone for AtOnce<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Function> Service<Delivery> for AtOnce<P> {
    type Response = Handled;
    type Error = BoxError;
    type Future = Call<P>;

    #[inline(always)]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    #[inline(always)]
    fn call(&mut self, delivery: Delivery) -> Call<P> {
        match self.0.call(&delivery) {
            Ok(future) => Call::Begun {
                future,
                whose: (P::Returned::OUTPUTS > 0).then(|| (self.0.clone(), delivery)),
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
    pub(super) enum Call<P: Function> {
        Begun {
            #[pin]
            future: P::Future,
            whose: Option<(Arc<P>, Delivery)>,
        },
        /// A parameter cannot be made.
        Refused {
            failure: Option<Failure>,
        },
    }
}

impl<P: Function> Future for Call<P> {
    type Output = Result<Handled, BoxError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let handled = match self.project() {
            Projected::Begun { future, whose } => {
                let returned = ready!(future.poll(cx));
                let whose = whose.as_ref();
                answer(
                    returned,
                    whose.map(|(function, delivery)| (&**function, delivery)),
                )
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
    Ok(answer(returned, Some((&*function, &delivery))))
}

/// The answer for what a function has returned; `whose` is needed only where it feeds outputs.
#[inline(always)]
fn answer<P: Function>(returned: P::Returned, whose: Option<(&P, &Delivery)>) -> Handled {
    let mut replies = Replies::default();
    let outcome = returned.returned(&mut replies);
    match whose {
        Some((function, delivery)) if P::Returned::OUTPUTS > 0 => {
            replies.answer(delivery, outcome, function.seeds())
        }
        _ => outcome.into(),
    }
}
