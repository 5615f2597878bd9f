//! What a program registers at link time: listeners, sources, kinds of binders, and readers of failures.
//!
//! The attributes and derives submit here; everything can be given to the application by hand as well.

pub use inventory;

use std::any::Any;

use crate::{
    binder::BinderFactory,
    function::SourceListener,
    listener::Listener,
    outcome::{Decision, FailureOf},
};

/// A listener, as `#[stream_listener]` submits it.
#[derive(Clone, Copy, Debug)]
pub struct ListenerEntry(pub fn() -> Listener);

/// A source, as `#[stream_source]` submits it.
#[derive(Clone, Copy, Debug)]
pub struct SourceEntry(pub fn() -> SourceListener);

/// A kind of binder, as a binder's crate submits it.
pub struct BinderEntry(pub &'static dyn BinderFactory);

/// A reader of failures, as `#[derive(Failure)]` submits it.
#[derive(Clone, Copy, Debug)]
pub struct FailureEntry(pub FailureOf);

inventory::collect!(ListenerEntry);
inventory::collect!(SourceEntry);
inventory::collect!(BinderEntry);
inventory::collect!(FailureEntry);

impl std::fmt::Debug for BinderEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BinderEntry").field(&self.0.kind()).finish()
    }
}

/// Every registered listener, by file and line.
#[must_use]
pub fn listeners() -> Vec<Listener> {
    let mut list: Vec<_> = inventory::iter::<ListenerEntry>()
        .map(|entry| (entry.0)())
        .collect();
    list.sort_by(|a, b| (a.location, &a.name).cmp(&(b.location, &b.name)));
    list
}

/// Every registered source, by file and line.
#[must_use]
pub fn sources() -> Vec<SourceListener> {
    let mut list: Vec<_> = inventory::iter::<SourceEntry>()
        .map(|entry| (entry.0)())
        .collect();
    list.sort_by(|a, b| (a.location, &a.name).cmp(&(b.location, &b.name)));
    list
}

/// Every registered kind of binder.
#[must_use]
pub fn binder_kinds() -> Vec<&'static dyn BinderFactory> {
    let mut list: Vec<_> = inventory::iter::<BinderEntry>()
        .map(|entry| entry.0)
        .collect();
    list.sort_by_key(|factory| factory.kind());
    list
}

/// Lets `?` into [`Failure`](crate::outcome::Failure) keep what derived errors say of themselves.
pub(crate) fn install_failure_readers() {
    crate::outcome::install_readers(read_failure);
}

fn read_failure(error: &(dyn Any + Send + Sync)) -> Option<(Decision, &'static str)> {
    inventory::iter::<FailureEntry>().find_map(|entry| entry.0.read(error))
}
