//! Sinks and processors as types.

use std::{future::Future, sync::Arc};

use crate::{
    binder::Delivery,
    extract::Extract,
    listener::{Body, ListenerFunction, Returned},
    outcome::Failure,
};

/// Consumes messages.
///
/// # Examples
/// ```
/// use mq_core::{extract::Text, function::Sink, outcome::Failure};
///
/// struct Log;
///
/// impl Sink for Log {
///     type Input = Text;
///
///     async fn handle(&self, Text(line): Text) -> Result<(), Failure> {
///         if line.is_empty() { Err(Failure::discard("empty line")) } else { Ok(()) }
///     }
/// }
/// ```
pub trait Sink: Send + Sync + 'static {
    /// What is taken of a delivery.
    type Input: Extract + 'static;

    /// Handles one message. May be dropped at any await when the attempt's time is over.
    fn handle(&self, input: Self::Input) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Consumes messages and produces others.
pub trait Processor: Send + Sync + 'static {
    /// What is taken of a delivery.
    type Input: Extract + 'static;
    /// What is published.
    type Output: Returned + Send + 'static;

    /// Handles one message. May be dropped at any await when the attempt's time is over.
    fn process(
        &self,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, Failure>> + Send;
}

/// Marks types that implement [`Sink`] or [`Processor`].
#[derive(Debug)]
pub enum OfType {}

/// Marks functions; `M` tells their parameters and return value.
#[derive(Debug)]
pub struct OfFunction<M>(std::marker::PhantomData<fn() -> M>);

/// A [`Sink`], or an async function or closure that returns no output.
#[diagnostic::on_unimplemented(
    message = "this is not a sink",
    label = "neither an async function over extractors nor a type that implements `Sink`",
    note = "write `|Json(order): Json<Order>| async move {{ … }}`; what the closure captures is cloned into the block or taken as `State<T>`",
    note = "or implement `mq::Sink` with `type Input = Json<Order>`"
)]
pub trait IntoSink<M>: Sized {
    /// The function, erased.
    fn into_sink(self) -> Arc<dyn Body>;
}

/// A [`Processor`], or an async function or closure that returns outputs.
#[diagnostic::on_unimplemented(
    message = "this is not a processor",
    label = "neither an async function over extractors nor a type that implements `Processor`",
    note = "write `|Json(order): Json<Order>| async move {{ Json(invoice) }}`",
    note = "or implement `mq::Processor` with `type Input = Json<Order>` and `type Output = Json<Invoice>`"
)]
pub trait IntoProcessor<M>: Sized {
    /// The function, erased.
    fn into_processor(self) -> Arc<dyn Body>;
}

#[diagnostic::do_not_recommend]
impl<S: Sink> IntoSink<OfType> for S {
    fn into_sink(self) -> Arc<dyn Body> {
        let sink = Arc::new(self);
        let handle = move |Whole(input): Whole<S::Input>| {
            let sink = sink.clone();
            async move { sink.handle(input).await }
        };
        handle.into_body()
    }
}

#[diagnostic::do_not_recommend]
impl<M, F: ListenerFunction<M>> IntoSink<OfFunction<M>> for F {
    fn into_sink(self) -> Arc<dyn Body> {
        self.into_body()
    }
}

#[diagnostic::do_not_recommend]
impl<P: Processor> IntoProcessor<OfType> for P {
    fn into_processor(self) -> Arc<dyn Body> {
        let processor = Arc::new(self);
        let process = move |Whole(input): Whole<P::Input>| {
            let processor = processor.clone();
            async move { processor.process(input).await }
        };
        process.into_body()
    }
}

#[diagnostic::do_not_recommend]
impl<M, F: ListenerFunction<M>> IntoProcessor<OfFunction<M>> for F {
    fn into_processor(self) -> Arc<dyn Body> {
        self.into_body()
    }
}

/// The whole input of a type, behind one parameter.
struct Whole<I>(I);

impl<I: Extract> Extract for Whole<I> {
    const PAYLOAD: bool = I::PAYLOAD;
    const AT_ONCE: bool = I::AT_ONCE;
    type Prepared = I::Prepared;

    fn prepare(start: &mut crate::extract::Preparation<'_>) -> crate::error::Result<I::Prepared> {
        I::prepare(start)
    }

    #[inline(always)]
    fn at_once(prepared: &I::Prepared, delivery: &Delivery) -> Result<Self, Failure> {
        I::at_once(prepared, delivery).map(Self)
    }

    async fn extract(prepared: &I::Prepared, delivery: &Delivery) -> Result<Self, Failure> {
        I::extract(prepared, delivery).await.map(Self)
    }
}

macro_rules! pair {
    ($($name:ident $slot:tt),*) => {
        /// Several extractors together: the input of a type that needs more than the payload.
        impl<$($name: Extract),*> Extract for ($($name,)*) {
            const PAYLOAD: bool = $($name::PAYLOAD)||*;
            const AT_ONCE: bool = $($name::AT_ONCE)&&*;
            type Prepared = ($($name::Prepared,)*);

            fn prepare(start: &mut crate::extract::Preparation<'_>) -> crate::error::Result<Self::Prepared> {
                Ok(($($name::prepare(start)?,)*))
            }

            fn at_once(prepared: &Self::Prepared, delivery: &Delivery) -> Result<Self, Failure> {
                Ok(($($name::at_once(&prepared.$slot, delivery)?,)*))
            }

            async fn extract(prepared: &Self::Prepared, delivery: &Delivery) -> Result<Self, Failure> {
                Ok(($($name::extract(&prepared.$slot, delivery).await?,)*))
            }
        }
    };
}

pair!(A 0, B 1);
pair!(A 0, B 1, C 2);
pair!(A 0, B 1, C 2, D 3);
