//! Problems of the plan, in the form of those of the settings.

use std::fmt;

use crate::{
    config::{Config, Problem, Problems},
    error::Error,
    listener::Location,
};

/// Collects what is wrong while the plan is made.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    config: &'a Config,
    problems: Problems,
}

impl<'a> Findings<'a> {
    pub(super) fn new(config: &'a Config) -> Self {
        Self {
            config,
            problems: Problems::new(),
        }
    }

    /// A value of the settings is wrong: `problem` continues a sentence that begins with key and value.
    pub(super) fn value(&mut self, path: &str, problem: &str, help: impl Into<String>) {
        self.problems.push(self.config.problem(path, problem, help));
    }

    /// Something else is wrong.
    pub(super) fn other(&mut self, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::new(message, help));
    }

    /// A function cannot be prepared: the error says why, after a semicolon how to fix it.
    pub(super) fn function(&mut self, name: &str, location: Location, error: &Error) {
        let text = error.to_string();
        let (what, help) = text.split_once("; ").unwrap_or((&text, ""));
        self.other(format!("`{name}` ({location}): {what}"), help);
    }

    pub(super) fn all(&mut self, problems: Problems) {
        self.problems.extend(problems);
    }

    pub(super) fn or<T>(self, value: T) -> Result<T, Problems> {
        self.problems.or(value)
    }
}

/// Words as a list: `a, b and c`.
pub(super) fn list<T: fmt::Display>(words: impl IntoIterator<Item = T>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
