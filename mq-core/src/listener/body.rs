//! What a listener is made of, erased, and how it becomes a worker.

use std::sync::Arc;

use super::UserLayers;
use crate::{
    error::Result, extract::Preparation, message::IdSeed, middleware::StackOptions,
    policy::BatchPolicy, worker::Worker,
};

/// Whether a listener takes one message or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One message at a time.
    Single,
    /// A [`Batch`](crate::extract::Batch).
    Batch,
}

/// A function that was not prepared yet.
pub trait Body: Send + Sync {
    /// Single or batch.
    fn style(&self) -> Style;

    /// How many outputs the return value feeds.
    fn outputs(&self) -> u16;

    /// Prepares the parameters; `seeds` are where the ids of the outputs begin.
    ///
    /// # Errors
    /// A parameter can never be made; the message says what to add.
    fn prepare(&self, start: &mut Preparation<'_>, seeds: Arc<[IdSeed]>) -> Result<Box<dyn Ready>>;
}

/// What a worker is built with.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// The standard stack.
    pub stack: StackOptions,
    /// At most this many calls at a time.
    pub concurrency: usize,
    /// How batches are gathered.
    pub batch: BatchPolicy,
    /// The user's layers, outermost first.
    pub layers: UserLayers,
}

/// A prepared function: builds the worker of its binding, again after each stop.
pub trait Ready: Send + Sync {
    /// Puts the stack around the function. Needs a running runtime.
    ///
    /// # Errors
    /// A user layer does not work for this style of listener.
    fn build(&self, options: &BuildOptions) -> Result<Box<dyn Worker>>;
}
