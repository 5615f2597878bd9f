//! What is wrong with the settings, all at once.

use super::Origin;
use std::fmt;

/// One mistake, where it is, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The dotted path of the key; empty where it is not about one key.
    pub path: String,
    /// Where the value came from; none where it is not about one place.
    pub origin: Option<Origin>,
    /// What is wrong, on one line, the path included.
    pub message: String,
    /// How to fix it; may have several lines, and may be empty.
    pub help: String,
    place: Place,
}

/// Where a value stands among all sources: the source, weakest first, and the place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    pub(super) layer: u32,
    pub(super) offset: u32,
}

impl Place {
    /// Behind everything that has a place.
    const LAST: Self = Self {
        layer: u32::MAX,
        offset: u32::MAX,
    };
}

impl Place {
    /// A place this far from the beginning of a source. Everything beyond 4 GiB counts as one place.
    pub(super) fn new(layer: u32, offset: usize) -> Self {
        Self {
            layer,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
        }
    }
}

impl Problem {
    /// A problem without a place: what is wrong (lower case, no full stop), and how to fix it.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        let (message, help) = (message.into(), help.into());
        Self {
            path: String::new(),
            origin: None,
            message,
            help,
            place: Place::LAST,
        }
    }

    /// The dotted path of the key that it is about.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Where the value came from. [`Origin::Default`] is not shown.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = (origin != Origin::Default).then_some(origin);
        self
    }

    pub(super) const fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, severity: &str) -> fmt::Result {
        write!(f, "{severity}: {}", self.message)?;
        if let Some(origin) = &self.origin {
            write!(f, " ({origin})")?;
        }
        let indent = severity.len() + 2;
        self.help
            .lines()
            .try_for_each(|line| write!(f, "\n{:indent$}{line}", ""))
    }
}

/// `error: …`, and the help below it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "error")
    }
}

/// Something that works and should be changed all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(Problem);

impl Warning {
    /// A warning that says this.
    #[must_use]
    pub const fn new(problem: Problem) -> Self {
        Self(problem)
    }

    /// The dotted path of the key that it is about; empty where it is not about one key.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Where the value came from.
    #[must_use]
    pub const fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_ref()
    }

    /// What should be changed.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// How to change it.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.0.help
    }
}

/// `warning: …`, and the help below it.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, "warning")
    }
}

/// Everything that is wrong with the settings, in the order of the sources and of the lines in them.
///
/// Checks that come later push their own problems, so that all are reported at once:
///
/// ```
/// use mq_core::config::{Problem, Problems};
///
/// let mut problems = Problems::new();
/// problems.push(Problem::new("binder `main` has no key order", "set ordering = \"none\""));
/// assert_eq!(problems.to_string(), "\
/// error: binder `main` has no key order
///        set ordering = \"none\"
/// 1 problem, nothing was started");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// No problems.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one that is not there yet, behind those of the same or an earlier line; one without a place goes to the end.
    pub fn push(&mut self, problem: Problem) {
        if self.0.contains(&problem) {
            return;
        }
        let behind = self.0.partition_point(|other| other.place <= problem.place);
        self.0.insert(behind, problem);
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// The problems in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// `Ok` with `value` if there is no problem.
    ///
    /// # Errors
    /// All the problems.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        let mut collected = Self::new();
        collected.extend(problems);
        collected
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Each problem, and how many there are.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|problem| writeln!(f, "{problem}"))?;
        let count = self.0.len();
        write!(
            f,
            "{count} {}, nothing was started",
            if count == 1 { "problem" } else { "problems" }
        )
    }
}

/// The same: this is what `main` shows of an error that it returns.
impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_has_place_and_help_below_each_problem() {
        let typo = Problem::new(
            "unknown key `bindings.orders.consumer.concurency`",
            "did you mean `concurrency`?",
        )
        .origin(Origin::File {
            name: "mq.toml".into(),
            line: 6,
        });
        let order = Problem::new("`x` cannot be kept:", "it has neither.\nSet `y`.");
        let problems: Problems = [typo, order].into_iter().collect();
        let expected = "\
error: unknown key `bindings.orders.consumer.concurency` (mq.toml, line 6)
       did you mean `concurrency`?
error: `x` cannot be kept:
       it has neither.
       Set `y`.
2 problems, nothing was started";
        assert_eq!(problems.to_string(), expected);
    }

    #[test]
    fn problems_are_in_the_order_of_their_places() {
        let at =
            |offset: u32| Problem::new(offset.to_string(), "").place(Place { layer: 0, offset });
        let mut problems: Problems = [at(5), at(1), Problem::new("plan", ""), at(3)]
            .into_iter()
            .collect();
        problems.push(Problem::new("last", ""));
        let order: Vec<_> = problems
            .iter()
            .map(|problem| problem.message.as_str())
            .collect();
        assert_eq!(order, ["1", "3", "5", "plan", "last"]);
    }
}
