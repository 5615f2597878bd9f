//! The closing lines of a test run.

use std::{collections::BTreeMap, fmt};

use super::transcript::{Skip, Tally};

/// What a run came to.
#[derive(Debug)]
pub(super) struct Report {
    passed: usize,
    failed: usize,
    skipped: usize,
    /// Lines about what was not run, each with the number of tests it stands for.
    skips: BTreeMap<String, usize>,
    /// The same for skips that `MQ_REQUIRE` forbids.
    refused: BTreeMap<String, usize>,
    failures: Vec<String>,
}

impl Report {
    /// Judges a tally: a skip that `required` names is a failure.
    pub(super) fn new(tally: Tally, required: &[String]) -> Self {
        let (refused, skips): (Vec<_>, Vec<_>) = tally
            .skips
            .into_iter()
            .partition(|skip| names(skip, required));
        let ignored = tally.ignored_names.into_iter();
        Self {
            passed: tally.passed.saturating_sub(refused.len() + skips.len()),
            failed: tally.failed + refused.len(),
            skipped: tally.ignored + skips.len(),
            skips: grouped(skips.iter().map(sentence).chain(ignored)),
            refused: grouped(refused.iter().map(sentence)),
            failures: tally.failed_names,
        }
    }

    /// How many tests failed.
    pub(super) fn failed(&self) -> usize {
        self.failed
    }

    /// Whether no test was found.
    pub(super) fn is_empty(&self) -> bool {
        self.passed + self.failed + self.skipped == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, "skipped", &self.skips)?;
        list(f, "skipped, but named by MQ_REQUIRE", &self.refused)?;
        list(f, "failed", &grouped(self.failures.iter().cloned()))?;
        let Self {
            passed,
            failed,
            skipped,
            ..
        } = self;
        writeln!(f, "\n{passed} passed, {failed} failed, {skipped} skipped")
    }
}

fn list(f: &mut fmt::Formatter<'_>, title: &str, lines: &BTreeMap<String, usize>) -> fmt::Result {
    if !lines.is_empty() {
        writeln!(f, "\n{title}:")?;
    }
    for (line, count) in lines {
        match count {
            1 => writeln!(f, "  {line}")?,
            _ => writeln!(f, "  {line} ({count} tests)")?,
        }
    }
    Ok(())
}

/// Whether `required` has the skip's name or the first part of it: `kafka` names `kafka::restart` and `kafka/restart` too.
fn names(skip: &Skip, required: &[String]) -> bool {
    let first = skip.name.split([':', '/', '.', ' ']).next();
    required.iter().any(|name| {
        skip.name.eq_ignore_ascii_case(name)
            || first.is_some_and(|first| first.eq_ignore_ascii_case(name))
    })
}

fn sentence(skip: &Skip) -> String {
    format!("{}: {}", skip.name, skip.reason)
}

fn grouped(lines: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut groups = BTreeMap::new();
    for line in lines {
        *groups.entry(line).or_default() += 1;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(skips: &[&str]) -> Tally {
        let skip = |name: &&str| Skip {
            name: (*name).to_owned(),
            reason: "no server".to_owned(),
        };
        Tally {
            passed: 5,
            skips: skips.iter().map(skip).collect(),
            ..Tally::default()
        }
    }

    fn check(skips: &[&str], required: &[&str], closing: &str) {
        let required: Vec<_> = required.iter().map(ToString::to_string).collect();
        let text = Report::new(tally(skips), &required).to_string();
        assert_eq!(text.lines().last(), Some(closing), "{text}");
    }

    #[test]
    fn the_closing_line_tells_skips_apart_from_passes() {
        check(&[], &[], "5 passed, 0 failed, 0 skipped");
        check(
            &["kafka", "kafka", "amqp"],
            &[],
            "2 passed, 0 failed, 3 skipped",
        );
    }

    #[test]
    fn a_required_skip_is_a_failure() {
        check(
            &["kafka", "amqp"],
            &["kafka"],
            "3 passed, 1 failed, 1 skipped",
        );
        check(
            &["Kafka::restart", "amqp"],
            &["kafka", "sql"],
            "3 passed, 1 failed, 1 skipped",
        );
        check(
            &["kafka-tools"],
            &["kafka"],
            "4 passed, 0 failed, 1 skipped",
        );
    }

    #[test]
    fn equal_reasons_are_one_line() {
        let text = Report::new(tally(&["kafka", "kafka"]), &[]).to_string();
        assert!(text.contains("\n  kafka: no server (2 tests)\n"), "{text}");
    }

    #[test]
    fn a_run_without_a_test_is_empty() {
        assert!(Report::new(Tally::default(), &[]).is_empty());
        assert!(!Report::new(tally(&["kafka"]), &[]).is_empty());
    }
}
