//! Plain async functions as listeners, for any number of parameters up to eight.

use std::{future::Future, marker::PhantomData, sync::Arc};

use tower::service_fn;
use tower_service::Service;

use super::{
    BatchReturned, Body, BuildOptions, Ready, Returned, Style,
    call::{AtOnce, ForOutputs, Function, handle_later},
};
use crate::{
    binder::{Deliveries, Delivery},
    error::{BoxError, Result},
    extract::{Extract, ExtractBatch, Preparation},
    message::IdSeed,
    middleware::{Arrival, BoxedStack, Handled, HandledBatch, Judge, standard},
    outcome::Failure,
    worker::{Duties, Gather, GatherBatch, GatherOne, Stacked, Worker},
};

/// An async function that handles one message: its parameters are extractors, its return value is [`Returned`].
#[diagnostic::on_unimplemented(
    message = "this is not a listener function",
    label = "not an async function over extractors",
    note = "write `async fn name(Json(order): Json<Order>, State(db): State<Db>) -> Result<(), mq::Failure>`",
    note = "a closure that uses what it captures clones it into an `async move` block, or takes it as `State<T>`"
)]
pub trait ListenerFunction<M>: Sized {
    /// The function, erased.
    fn into_body(self) -> Arc<dyn Body>;
}

/// An async function that handles a batch: one parameter is a [`Batch`](crate::extract::Batch).
#[diagnostic::on_unimplemented(
    message = "this is not a batch listener function",
    label = "not an async function over a batch",
    note = "write `async fn name(orders: Batch<Json<Order>>, State(db): State<Db>) -> Result<Outcomes, mq::Failure>`"
)]
pub trait BatchFunction<M>: Sized {
    /// The function, erased.
    fn into_body(self) -> Arc<dyn Body>;
}

struct Unprepared<F, M> {
    function: Arc<F>,
    marker: PhantomData<fn() -> M>,
}

struct Prepared<F, P, M> {
    function: Arc<F>,
    prepared: Arc<P>,
    seeds: Arc<[IdSeed]>,
    marker: PhantomData<fn() -> M>,
}

impl<F, P, M> Clone for Prepared<F, P, M> {
    fn clone(&self) -> Self {
        Self {
            function: self.function.clone(),
            prepared: self.prepared.clone(),
            seeds: self.seeds.clone(),
            marker: PhantomData,
        }
    }
}

/// Marks functions of single messages, by parameters and return value.
#[derive(Debug)]
pub struct OfOne<A, R>(PhantomData<fn(A) -> R>);

/// Marks functions of batches, by parameters and return value.
#[derive(Debug)]
pub struct OfMany<A, R>(PhantomData<fn(A) -> R>);

fn at_most_one(payloads: usize) {
    assert!(
        payloads <= 1,
        "a listener takes one payload: read it once and pass on what is needed"
    );
}

macro_rules! functions {
    ($($param:ident $slot:tt),*) => {
        impl<F, Fut, R, $($param),*> ListenerFunction<OfOne<($($param,)*), R>> for F
        where
            F: Fn($($param),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: Returned + Send + 'static,
            $($param: Extract + 'static,)*
        {
            fn into_body(self) -> Arc<dyn Body> {
                Arc::new(Unprepared::<F, OfOne<($($param,)*), R>> { function: Arc::new(self), marker: PhantomData })
            }
        }

        impl<F, Fut, R, $($param),*> Body for Unprepared<F, OfOne<($($param,)*), R>>
        where
            F: Fn($($param),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: Returned + Send + 'static,
            $($param: Extract + 'static,)*
        {
            fn style(&self) -> Style {
                Style::Single
            }

            fn outputs(&self) -> u16 {
                R::OUTPUTS
            }

            #[allow(unused_variables, reason = "a function without parameters has nothing to prepare")]
            fn prepare(&self, start: &mut Preparation<'_>, seeds: Arc<[IdSeed]>) -> Result<Box<dyn Ready>> {
                at_most_one(0 $(+ usize::from($param::PAYLOAD))*);
                let prepared = Arc::new(($($param::prepare(start)?,)*));
                let function = self.function.clone();
                Ok(Box::new(Prepared::<F, ($($param::Prepared,)*), OfOne<($($param,)*), R>> {
                    function, prepared, seeds, marker: PhantomData,
                }))
            }
        }

        impl<F, Fut, R, $($param),*> Function for Prepared<F, ($($param::Prepared,)*), OfOne<($($param,)*), R>>
        where
            F: Fn($($param),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: Returned + Send + 'static,
            $($param: Extract + 'static,)*
        {
            type Returned = R;
            type Future = Fut;
            const AT_ONCE: bool = true $(&& $param::AT_ONCE)*;

            #[inline(always)]
            #[allow(unused_variables, reason = "a function without parameters does not look at the delivery")]
            fn call(&self, delivery: &Delivery) -> Result<Fut, Failure> {
                Ok((self.function)($($param::at_once(&self.prepared.$slot, delivery)?),*))
            }

            #[allow(unused_variables, reason = "a function without parameters does not look at the delivery")]
            async fn call_later(&self, delivery: &Delivery) -> Result<Fut, Failure> {
                Ok((self.function)($($param::extract(&self.prepared.$slot, delivery).await?),*))
            }

            fn seeds(&self) -> &[IdSeed] {
                &self.seeds
            }
        }

        impl<F, Fut, R, $($param),*> Ready for Prepared<F, ($($param::Prepared,)*), OfOne<($($param,)*), R>>
        where
            F: Fn($($param),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: Returned + Send + 'static,
            $($param: Extract + 'static,)*
        {
            fn build(&self, options: &BuildOptions) -> Result<Box<dyn Worker>> {
                let this = Arc::new(self.clone());
                if Self::AT_ONCE && R::OUTPUTS == 0 {
                    return single(options, AtOnce::<_, ()>::new(this));
                }
                if Self::AT_ONCE {
                    return single(options, AtOnce::<_, ForOutputs<_>>::new(this));
                }
                single(options, service_fn(move |delivery: Delivery| handle_later(this.clone(), delivery)))
            }
        }

        impl<F, Fut, R, $($param),*> BatchFunction<OfMany<($($param,)*), R>> for F
        where
            F: Fn($($param),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: BatchReturned + Send + 'static,
            $($param: ExtractBatch + 'static,)*
        {
            fn into_body(self) -> Arc<dyn Body> {
                Arc::new(Unprepared::<F, OfMany<($($param,)*), R>> { function: Arc::new(self), marker: PhantomData })
            }
        }

        impl<F, Fut, R, $($param),*> Body for Unprepared<F, OfMany<($($param,)*), R>>
        where
            F: Fn($($param),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: BatchReturned + Send + 'static,
            $($param: ExtractBatch + 'static,)*
        {
            fn style(&self) -> Style {
                Style::Batch
            }

            fn outputs(&self) -> u16 {
                R::OUTPUTS
            }

            #[allow(unused_variables, reason = "a function without parameters has nothing to prepare")]
            fn prepare(&self, start: &mut Preparation<'_>, seeds: Arc<[IdSeed]>) -> Result<Box<dyn Ready>> {
                at_most_one(0 $(+ usize::from($param::BATCH))*);
                let prepared = Arc::new(($($param::prepare(start)?,)*));
                let function = self.function.clone();
                Ok(Box::new(Prepared::<F, ($($param::Prepared,)*), OfMany<($($param,)*), R>> {
                    function, prepared, seeds, marker: PhantomData,
                }))
            }
        }

        impl<F, Fut, R, $($param),*> Ready for Prepared<F, ($($param::Prepared,)*), OfMany<($($param,)*), R>>
        where
            F: Fn($($param),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: BatchReturned + Send + 'static,
            $($param: ExtractBatch + 'static,)*
        {
            #[allow(unused_mut, reason = "a function without parameters cannot fail to read any")]
            fn build(&self, options: &BuildOptions) -> Result<Box<dyn Worker>> {
                let this = Arc::new((self.function.clone(), self.prepared.clone(), self.seeds.clone()));
                batch(options, move |deliveries: Deliveries| {
                    let this = this.clone();
                    async move {
                        let (function, _prepared, seeds) = &*this;
                        let mut failed: Vec<(usize, Failure)> = Vec::new();
                        let parameters = ($(match $param::extract(&_prepared.$slot, &deliveries, &mut failed).await {
                            Ok(parameter) => parameter,
                            Err(failure) => return Ok::<HandledBatch, BoxError>(failure.into()),
                        },)*);
                        if failed.is_empty() {
                            return Ok(function($(parameters.$slot),*).await.returned(&deliveries, seeds));
                        }
                        let (left, others) = set_aside(&deliveries, failed);
                        let Some(left) = left else { return Ok(Deliveries::join(None, others)) };
                        let _ = &parameters;
                        let returned = function($(parameters.$slot),*).await;
                        Ok(Deliveries::join(Some(returned.returned(&left, seeds)), others))
                    }
                })
            }
        }
    };
}

/// Items that did not decode get their answers; the others are left.
fn set_aside(
    deliveries: &Deliveries,
    failed: Vec<(usize, Failure)>,
) -> (Option<Deliveries>, Vec<Option<Handled>>) {
    let mut others: Vec<Option<Handled>> = Vec::new();
    others.resize_with(deliveries.len(), || None);
    for (index, failure) in failed {
        others[index] = Some(failure.into());
    }
    let keep: Vec<bool> = others.iter().map(Option::is_none).collect();
    (deliveries.clone().retain(&keep), others)
}

fn single<S>(options: &BuildOptions, handler: S) -> Result<Box<dyn Worker>>
where
    S: Service<Delivery, Response = Handled, Error = BoxError, Future: Send>
        + Clone
        + Send
        + 'static,
{
    if is_bare(options) {
        let duties = Duties::all(&options.stack);
        return Ok(worker(GatherOne, handler, duties, options));
    }
    let stack = standard(handler, &options.stack);
    let boxed = options
        .layers
        .fold(BoxedStack::new(stack), |layer, inner| layer.single(inner))?;
    Ok(worker(GatherOne, boxed, Duties::none(), options))
}

fn batch<H, Fut>(options: &BuildOptions, handler: H) -> Result<Box<dyn Worker>>
where
    H: FnMut(Deliveries) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<HandledBatch, BoxError>> + Send + 'static,
{
    let gather = GatherBatch::new(options.batch.clone());
    let handler = service_fn(handler);
    if is_bare(options) {
        let duties = Duties::all(&options.stack);
        return Ok(worker(gather, handler, duties, options));
    }
    let stack = standard(handler, &options.stack);
    let boxed = options
        .layers
        .fold(BoxedStack::new(stack), |layer, inner| layer.batch(inner))?;
    Ok(worker(gather, boxed, Duties::none(), options))
}

/// Whether nothing has to stand around the handler that the worker cannot do itself.
fn is_bare(options: &BuildOptions) -> bool {
    options.layers.is_empty() && options.stack.idempotency.is_none()
}

fn worker<G, S, J>(
    gather: G,
    stack: S,
    duties: Duties<J>,
    options: &BuildOptions,
) -> Box<dyn Worker>
where
    G: Gather + 'static,
    S: Service<
            G::Request,
            Response = <G::Request as Arrival>::Handled,
            Error = BoxError,
            Future: Send,
        > + Send
        + 'static,
    J: Judge,
{
    Box::new(Stacked::new(
        stack,
        duties,
        gather,
        options.concurrency,
        options.stack.observer(),
    ))
}

functions!();
functions!(A1 0);
functions!(A1 0, A2 1);
functions!(A1 0, A2 1, A3 2);
functions!(A1 0, A2 1, A3 2, A4 3);
functions!(A1 0, A2 1, A3 2, A4 3, A5 4);
functions!(A1 0, A2 1, A3 2, A4 3, A5 4, A6 5);
functions!(A1 0, A2 1, A3 2, A4 3, A5 4, A6 5, A7 6);
functions!(A1 0, A2 1, A3 2, A4 3, A5 4, A6 5, A7 6, A8 7);
