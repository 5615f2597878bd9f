//! A stack behind a box, as user layers wrap it: its calls are kept in memory that calls before them have left.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio_util::sync::ReusableBoxFuture;
use tower_service::Service;

use super::Arrival;
use crate::error::BoxError;

/// What a call comes to.
type Answer<R> = Result<<R as Arrival>::Handled, BoxError>;

/// A place for a call of one type.
type Place<R> = ReusableBoxFuture<'static, Answer<R>>;

/// Places whose calls have ended.
struct Spare<P>(Mutex<Vec<P>>);

/// So many places are kept for calls to come.
const SPARE: usize = 64;

/// A stack of any type for requests `R`.
pub struct BoxedStack<R: Arrival> {
    stack: Box<dyn Erased<R>>,
    spare: Arc<Spare<Place<R>>>,
}

impl<R: Arrival> BoxedStack<R> {
    /// Puts a stack behind a box.
    #[must_use]
    pub fn new<S>(stack: S) -> Self
    where
        S: Service<R, Response = R::Handled, Error = BoxError, Future: Send> + Send + 'static,
    {
        Self {
            stack: Box::new(stack),
            spare: Arc::new(Spare(Mutex::default())),
        }
    }
}

impl<R: Arrival> Service<R> for BoxedStack<R> {
    type Response = R::Handled;
    type Error = BoxError;
    type Future = BoxedCall<R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.stack.poll_open(cx)
    }

    fn call(&mut self, request: R) -> BoxedCall<R> {
        let place = self.spare.list().pop();
        BoxedCall {
            place: Some(self.stack.begin(request, place)),
            spare: self.spare.clone(),
        }
    }
}

impl<R: Arrival> fmt::Debug for BoxedStack<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxedStack").finish_non_exhaustive()
    }
}

/// A call of a [`BoxedStack`].
pub struct BoxedCall<R: Arrival> {
    /// `None` once the call has ended.
    place: Option<Place<R>>,
    spare: Arc<Spare<Place<R>>>,
}

impl<R: Arrival> Future for BoxedCall<R> {
    type Output = Answer<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer<R>> {
        let Some(place) = &mut self.place else {
            return Poll::Pending;
        };
        let answer = ready!(place.poll(cx));
        let place = self.place.take();
        let mut spare = self.spare.list();
        if spare.len() < SPARE {
            spare.extend(place);
        }
        drop(spare);
        Poll::Ready(answer)
    }
}

impl<R: Arrival> fmt::Debug for BoxedCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxedCall").finish_non_exhaustive()
    }
}

impl<P> Spare<P> {
    fn list(&self) -> MutexGuard<'_, Vec<P>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stack whose type is not known.
trait Erased<R: Arrival>: Send {
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>>;

    /// Makes a call in a place that an earlier one has left, or in a new one.
    fn begin(&mut self, request: R, place: Option<Place<R>>) -> Place<R>;
}

impl<R, S> Erased<R> for S
where
    R: Arrival,
    S: Service<R, Response = R::Handled, Error = BoxError, Future: Send + 'static> + Send,
{
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.poll_ready(cx)
    }

    fn begin(&mut self, request: R, place: Option<Place<R>>) -> Place<R> {
        let future = self.call(request);
        let call = Emptied::Call { future };
        match place {
            Some(mut place) => {
                place.set(call);
                place
            }
            None => ReusableBoxFuture::new(call),
        }
    }
}

pin_project! {
    /// A future that is gone once it is ready: what it holds must not wait for the next call.
    #[project = Projected]
    enum Emptied<F> {
        Call {
            #[pin]
            future: F,
        },
        Over,
    }
}

impl<F: Future> Future for Emptied<F> {
    type Output = F::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let output = match self.as_mut().project() {
            Projected::Call { future } => ready!(future.poll(cx)),
            Projected::Over => return Poll::Pending,
        };
        self.set(Self::Over);
        Poll::Ready(output)
    }
}

#[cfg(test)]
mod tests {
    use tower::service_fn;

    use super::*;
    use crate::{binder::Delivery, message::Message, middleware::Handled};

    fn spare(stack: &BoxedStack<Delivery>) -> usize {
        stack.spare.list().len()
    }

    #[tokio::test]
    async fn a_call_leaves_its_place_to_the_next_and_nothing_in_it() {
        let held = Arc::new(());
        let copy = held.clone();
        let mut stack = BoxedStack::new(service_fn(move |delivery: Delivery| {
            let copy = copy.clone();
            async move {
                tokio::task::yield_now().await;
                drop((copy, delivery));
                Ok(Handled::default())
            }
        }));
        for _ in 0..3 {
            let call = stack.call(Delivery::of(Message::new("x")));
            assert_eq!((spare(&stack), Arc::strong_count(&held)), (0, 3));
            assert!(call.await.is_ok_and(|handled| handled.is_bare_ack()));
            assert_eq!((spare(&stack), Arc::strong_count(&held)), (1, 2));
        }
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_is_gone_with_its_place() {
        let mut stack = BoxedStack::new(service_fn(|_: Delivery| {
            std::future::pending::<Result<Handled, BoxError>>()
        }));
        drop(stack.call(Delivery::of(Message::new("x"))));
        assert_eq!(spare(&stack), 0);
    }
}
