//! A field that is out of range.

use std::fmt;

/// A field of a policy whose value is out of range, and what it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutOfRange {
    /// The field's name as it is written in the settings, with dots where it lies deeper: `retry.attempts`.
    pub field: String,
    /// What is wrong, as the rest of a sentence that begins with the value: `is less than 1`.
    pub problem: String,
    /// What the field may be.
    pub help: String,
}

impl OutOfRange {
    /// Says which field is out of range, what is wrong with it, and what it may be.
    pub fn new(
        field: impl Into<String>,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
            help: help.into(),
        }
    }

    /// The same, seen from the table `outer` that holds the field.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.field = format!("{outer}.{}", self.field);
        self
    }
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}; {}", self.field, self.problem, self.help)
    }
}

/// Collects the fields of one policy that are out of range.
#[derive(Debug, Default)]
pub(crate) struct Ranges(Vec<OutOfRange>);

impl Ranges {
    /// Reports `field` unless `good` holds.
    pub(crate) fn check(mut self, field: &str, good: bool, problem: &str, help: &str) -> Self {
        if !good {
            self.0.push(OutOfRange::new(field, problem, help));
        }
        self
    }

    /// Adds what another policy, held in the field `outer`, reported.
    pub(crate) fn within(mut self, outer: &str, inner: Vec<OutOfRange>) -> Self {
        self.0
            .extend(inner.into_iter().map(|one| one.within(outer)));
        self
    }

    pub(crate) fn found(self) -> Vec<OutOfRange> {
        self.0
    }
}
