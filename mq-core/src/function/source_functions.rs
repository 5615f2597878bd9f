//! Plain functions as sources: called periodically, or returning a stream.

use std::{
    future::{Future, poll_fn},
    marker::PhantomData,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures_core::Stream;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Emit, IntoSource, SourceBody, SourceTask, source::pause};
use crate::{
    error::{Error, ErrorKind, Result},
    extract::{Preparation, Standing},
    listener::Returned,
    outcome::Failure,
    units,
};

/// An async function without a delivery, called again and again: parameters are [`Standing`] extractors.
#[diagnostic::on_unimplemented(
    message = "this is not a periodic source",
    label = "not an async function that returns messages",
    note = "write `|| async {{ Json(tick) }}`, with nothing but `State<T>` and `Output<T>` as parameters"
)]
pub trait PeriodicFunction<M>: Sized {
    /// The function, called every `period`.
    fn every(self, period: Duration) -> Arc<dyn SourceBody>;
}

/// A function that returns a stream of items.
#[diagnostic::on_unimplemented(
    message = "this is not a stream of messages",
    label = "not a stream of messages",
    note = "return `impl Stream<Item = Json<Tick>>` from a function that takes nothing but `State<T>` and `Output<T>`",
    note = "or write `async fn` and say how often it is called: `#[stream_source(output = \"ticks\", every = \"1s\")]`"
)]
pub trait StreamFunction<M>: Sized {
    /// The function, whose stream is the source.
    fn stream(self) -> Arc<dyn SourceBody>;
}

/// A function that is called every `period`, for example `every("1s", || async { Text("hello".into()) })`.
#[derive(Clone, Debug)]
pub struct Every<F> {
    period: Result<Duration, String>,
    function: F,
}

/// Calls `function` every `period` (text such as `"1s"`; at least a millisecond). A bad period is refused at start.
pub fn every<F>(period: &str, function: F) -> Every<F> {
    let period = units::parse_duration(period)
        .map_err(|error| format!("{}; {}", error.problem, error.help))
        .and_then(|period| {
            if period.is_zero() {
                Err("a period is at least 1ms".to_owned())
            } else {
                Ok(period)
            }
        });
    Every { period, function }
}

/// Marks [`Every`] of a function.
#[derive(Debug)]
pub struct OfEvery<M>(PhantomData<fn() -> M>);

impl<M, F: PeriodicFunction<M>> IntoSource<OfEvery<M>> for Every<F> {
    fn into_source(self) -> Arc<dyn SourceBody> {
        match self.period {
            Ok(period) => self.function.every(period),
            Err(problem) => Arc::new(Refused(problem)),
        }
    }
}

struct Refused(String);

impl SourceBody for Refused {
    fn outputs(&self) -> u16 {
        1
    }

    fn prepare(&self, _: &mut Preparation<'_>) -> Result<Box<dyn SourceTask>> {
        Err(Error::new(ErrorKind::Config, self.0.clone()))
    }
}

struct Unprepared<F, M> {
    function: Arc<F>,
    period: Duration,
    marker: PhantomData<fn() -> M>,
}

struct Prepared<F, P, M> {
    function: Arc<F>,
    period: Duration,
    prepared: P,
    marker: PhantomData<fn() -> M>,
}

/// Marks periodic functions by parameters and return value.
#[derive(Debug)]
pub struct Periodic<A, R>(PhantomData<fn(A) -> R>);

/// Marks stream functions by parameters and stream.
#[derive(Debug)]
pub struct Streaming<A, S>(PhantomData<fn(A) -> S>);

type Running = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// Calls `once` at every tick; a tick that is missed because the outputs are slow is not made up for.
async fn periodically<Fut>(
    period: Duration,
    emit: Emit,
    once: impl Fn() -> Fut,
) -> Result<(), Failure>
where
    Fut: Future<Output = Result<(), Failure>>,
{
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !emit.is_closed() {
        ticks.tick().await;
        if let Err(failure) = once().await {
            pause(failure, emit.name()).await?;
        }
    }
    Ok(())
}

async fn drain<S: Stream<Item: Returned>>(stream: S, emit: Emit) -> Result<(), Failure> {
    let mut stream = pin!(stream);
    while let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        emit.item(item).await?;
    }
    Ok(())
}

macro_rules! functions {
    ($($param:ident $slot:tt),*) => {
        impl<F, Fut, R, $($param),*> PeriodicFunction<Periodic<($($param,)*), R>> for F
        where
            F: Fn($($param),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: Returned + Send + 'static,
            $($param: Standing + 'static,)*
        {
            fn every(self, period: Duration) -> Arc<dyn SourceBody> {
                let function = Arc::new(self);
                Arc::new(Unprepared::<F, Periodic<($($param,)*), R>> { function, period, marker: PhantomData })
            }
        }

        impl<F, Fut, R, $($param),*> SourceBody for Unprepared<F, Periodic<($($param,)*), R>>
        where
            F: Fn($($param),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: Returned + Send + 'static,
            $($param: Standing + 'static,)*
        {
            fn outputs(&self) -> u16 {
                R::OUTPUTS
            }

            #[allow(unused_variables, reason = "a function without parameters has nothing to prepare")]
            fn prepare(&self, start: &mut Preparation<'_>) -> Result<Box<dyn SourceTask>> {
                let prepared = ($($param::prepare(start)?,)*);
                let (function, period) = (self.function.clone(), self.period);
                Ok(Box::new(Prepared::<F, ($($param::Prepared,)*), Periodic<($($param,)*), R>> {
                    function, period, prepared, marker: PhantomData,
                }))
            }
        }

        impl<F, Fut, R, $($param),*> SourceTask for Prepared<F, ($($param::Prepared,)*), Periodic<($($param,)*), R>>
        where
            F: Fn($($param),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: Returned + Send + 'static,
            $($param: Standing + 'static,)*
        {
            fn run(self: Box<Self>, emit: Emit) -> Running {
                Box::pin(async move {
                    let (this, sink) = (&*self, &emit);
                    periodically(this.period, emit.clone(), move || async move {
                        let item = (this.function)($($param::standing(&this.prepared.$slot)),*).await;
                        sink.item(item).await
                    }).await
                })
            }
        }

        impl<F, S, $($param),*> StreamFunction<Streaming<($($param,)*), S>> for F
        where
            F: Fn($($param),*) -> S + Send + Sync + 'static,
            S: Stream<Item: Returned + Send + 'static> + Send + 'static,
            $($param: Standing + 'static,)*
        {
            fn stream(self) -> Arc<dyn SourceBody> {
                let function = Arc::new(self);
                let period = Duration::ZERO;
                Arc::new(Unprepared::<F, Streaming<($($param,)*), S>> { function, period, marker: PhantomData })
            }
        }

        impl<F, S, $($param),*> SourceBody for Unprepared<F, Streaming<($($param,)*), S>>
        where
            F: Fn($($param),*) -> S + Send + Sync + 'static,
            S: Stream<Item: Returned + Send + 'static> + Send + 'static,
            $($param: Standing + 'static,)*
        {
            fn outputs(&self) -> u16 {
                <S::Item as Returned>::OUTPUTS
            }

            #[allow(unused_variables, reason = "a function without parameters has nothing to prepare")]
            fn prepare(&self, start: &mut Preparation<'_>) -> Result<Box<dyn SourceTask>> {
                let prepared = ($($param::prepare(start)?,)*);
                let (function, period) = (self.function.clone(), self.period);
                Ok(Box::new(Prepared::<F, ($($param::Prepared,)*), Streaming<($($param,)*), S>> {
                    function, period, prepared, marker: PhantomData,
                }))
            }
        }

        impl<F, S, $($param),*> SourceTask for Prepared<F, ($($param::Prepared,)*), Streaming<($($param,)*), S>>
        where
            F: Fn($($param),*) -> S + Send + Sync + 'static,
            S: Stream<Item: Returned + Send + 'static> + Send + 'static,
            $($param: Standing + 'static,)*
        {
            fn run(self: Box<Self>, emit: Emit) -> Running {
                Box::pin(async move {
                    let stream = (self.function)($($param::standing(&self.prepared.$slot)),*);
                    drain(stream, emit).await
                })
            }
        }
    };
}

functions!();
functions!(A1 0);
functions!(A1 0, A2 1);
functions!(A1 0, A2 1, A3 2);
functions!(A1 0, A2 1, A3 2, A4 3);
