//! What the framework knows of a listener.

use std::{fmt, sync::Arc};

use super::{Body, Style, described};
use crate::config::Value;

/// Where a function stands in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
}

impl Location {
    /// Where the caller stands.
    #[must_use]
    #[track_caller]
    pub fn caller() -> Self {
        let caller = std::panic::Location::caller();
        Self {
            file: caller.file(),
            line: caller.line(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A function on an input binding, with its outputs and the settings that its attribute gives.
#[derive(Clone)]
pub struct Listener {
    /// The function's name.
    pub name: Arc<str>,
    /// The package it is in, which is the default name of the application and of the group.
    pub package: &'static str,
    /// Where it stands.
    pub location: Location,
    /// The input binding.
    pub input: String,
    /// The output bindings of the return value, in order.
    pub outputs: Vec<String>,
    /// The output bindings of the `Output` parameters, in order.
    pub publishes: Vec<String>,
    /// Settings of the input binding's `consumer` table from the attribute; files and environment win.
    pub settings: Vec<(String, Value)>,
    /// The function.
    pub body: Arc<dyn Body>,
}

impl Listener {
    /// A listener of this name on an input binding; the place is the caller's.
    #[must_use]
    #[track_caller]
    pub fn new(name: impl Into<Arc<str>>, input: impl Into<String>, body: Arc<dyn Body>) -> Self {
        Self {
            name: name.into(),
            package: "",
            location: Location::caller(),
            input: input.into(),
            outputs: Vec::new(),
            publishes: Vec::new(),
            settings: Vec::new(),
            body,
        }
    }

    described!();

    /// Adds a setting of the input binding's `consumer` table, as a TOML value: `("concurrency", "4")`.
    #[must_use]
    pub fn setting(mut self, key: impl Into<String>, toml: &str) -> Self {
        self.settings.push((key.into(), Value::from_toml(toml)));
        self
    }

    /// Single or batch.
    #[must_use]
    pub fn style(&self) -> Style {
        self.body.style()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("name", &self.name)
            .field("input", &self.input)
            .field("outputs", &self.outputs)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}
