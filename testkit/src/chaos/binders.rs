//! The binders that a run can be on.

use super::options::Options;
use mq::error::{Error, ErrorKind, Result};

/// One binder of the table.
#[derive(Debug, Clone, Copy)]
pub struct BinderEntry {
    /// Its name on the command line.
    pub name: &'static str,
    /// Where services and broker live.
    pub(super) shape: Shape,
}

/// Where services and broker live.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Everything in this process, with faults from within.
    Inside,
}

/// Every binder.
pub const BINDERS: &[BinderEntry] = &[BinderEntry {
    name: "memory",
    shape: Shape::Inside,
}];

/// The entry that a run is for.
pub(super) fn entry(options: &Options) -> Result<&'static BinderEntry> {
    let found = BINDERS.iter().find(|entry| entry.name == options.binder);
    found.ok_or_else(|| {
        let known: Vec<_> = BINDERS.iter().map(|entry| entry.name).collect();
        let text = format!(
            "there is no binder `{}` to run on; use one of {}",
            options.binder,
            known.join(", ")
        );
        Error::new(ErrorKind::Config, text)
    })
}
