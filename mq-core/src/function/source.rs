//! Sources as types.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::Emit;
use crate::{
    error::{Error, ErrorKind, Result},
    extract::Preparation,
    listener::{Location, Returned, described},
    outcome::{Decision, Failure},
};

/// Produces messages, one item at a time; slowed down by its output, never buffered without bound.
///
/// # Examples
/// ```
/// use mq_core::{extract::Text, function::Source, outcome::Failure};
///
/// struct Countdown(u32);
///
/// impl Source for Countdown {
///     type Output = Text;
///
///     async fn next(&mut self) -> Result<Option<Text>, Failure> {
///         let Some(next) = self.0.checked_sub(1) else { return Ok(None) };
///         self.0 = next;
///         Ok(Some(Text(next.to_string())))
///     }
/// }
/// ```
pub trait Source: Send + 'static {
    /// What an item is.
    type Output: Returned + Send + 'static;

    /// The next item; `None` ends the source.
    ///
    /// Dropped half-way only when the application stops.
    ///
    /// # Errors
    /// A failure is logged; the source is asked again after a second, or the delay that the failure names. A failure that is not
    /// to be retried ends the source.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Output>, Failure>> + Send;
}

/// A source that runs: gives items to `emit` until it ends or nobody takes them any more.
pub trait SourceTask: Send {
    /// Runs to the end.
    ///
    /// # Errors
    /// The source cannot go on.
    fn run(
        self: Box<Self>,
        emit: Emit,
    ) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;
}

/// A source that was not prepared yet.
pub trait SourceBody: Send + Sync {
    /// How many outputs an item feeds.
    fn outputs(&self) -> u16;

    /// Prepares the parameters and makes what runs.
    ///
    /// # Errors
    /// A parameter can never be made, or the source was started before and cannot be started again.
    fn prepare(&self, start: &mut Preparation<'_>) -> Result<Box<dyn SourceTask>>;
}

/// A source with its outputs.
#[derive(Clone)]
pub struct SourceListener {
    /// The function's or type's name.
    pub name: Arc<str>,
    /// The package it is in.
    pub package: &'static str,
    /// Where it stands.
    pub location: Location,
    /// The output bindings of an item, in order.
    pub outputs: Vec<String>,
    /// The output bindings of the `Output` parameters, in order.
    pub publishes: Vec<String>,
    /// The source.
    pub body: Arc<dyn SourceBody>,
}

impl SourceListener {
    /// A source of this name; the place is the caller's.
    #[must_use]
    #[track_caller]
    pub fn new(name: impl Into<Arc<str>>, body: Arc<dyn SourceBody>) -> Self {
        Self {
            name: name.into(),
            package: "",
            location: Location::caller(),
            outputs: Vec::new(),
            publishes: Vec::new(),
            body,
        }
    }

    described!();
}

impl fmt::Debug for SourceListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceListener")
            .field("name", &self.name)
            .field("outputs", &self.outputs)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// A [`Source`], or a function made into one by [`every`](super::every).
#[diagnostic::on_unimplemented(
    message = "this is not a source",
    label = "neither a type that implements `Source` nor a periodic function",
    note = "implement `mq::Source` with `type Output = Json<Order>`, or write `every(\"1s\", || async {{ Json(tick) }})`"
)]
pub trait IntoSource<M>: Sized {
    /// The source, erased.
    fn into_source(self) -> Arc<dyn SourceBody>;
}

/// Marks types that implement [`Source`].
#[derive(Debug)]
pub enum OfSourceType {}

#[diagnostic::do_not_recommend]
impl<S: Source> IntoSource<OfSourceType> for S {
    fn into_source(self) -> Arc<dyn SourceBody> {
        Arc::new(Typed(Mutex::new(Some(self))))
    }
}

struct Typed<S>(Mutex<Option<S>>);

struct Pulled<S>(S);

impl<S: Source> SourceBody for Typed<S> {
    fn outputs(&self) -> u16 {
        S::Output::OUTPUTS
    }

    fn prepare(&self, _: &mut Preparation<'_>) -> Result<Box<dyn SourceTask>> {
        let source = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let gone = || {
            Error::new(
                ErrorKind::Closed,
                "the source was started before; make a new application to start it again",
            )
        };
        Ok(Box::new(Pulled(source.ok_or_else(gone)?)))
    }
}

impl<S: Source> SourceTask for Pulled<S> {
    fn run(
        mut self: Box<Self>,
        emit: Emit,
    ) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>> {
        Box::pin(async move {
            while !emit.is_closed() {
                match self.0.next().await {
                    Ok(None) => return Ok(()),
                    Ok(Some(item)) => emit.item(item).await?,
                    Err(failure) => pause(failure, emit.name()).await?,
                }
            }
            Ok(())
        })
    }
}

/// Waits out a failure that is to be retried; gives back any other.
pub(super) async fn pause(failure: Failure, name: &str) -> Result<(), Failure> {
    let wait = match failure.decision() {
        Decision::Retry => Duration::from_secs(1),
        Decision::RetryAfter(delay) | Decision::Defer(delay) => delay,
        Decision::DeadLetter | Decision::Discard => return Err(failure),
    };
    tracing::warn!(source = name, error = %failure, ?wait, "source failed; it is asked again");
    tokio::time::sleep(wait).await;
    Ok(())
}
