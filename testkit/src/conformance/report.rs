//! What a run of the suite has found.

use std::time::Duration;

use serde::Serialize;

/// What a case says of a binder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rule is kept.
    Passed,
    /// The rule is broken, as this shows.
    Failed(String),
    /// The case has nothing to say, for this reason.
    Skipped(String),
}

/// One case of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CaseResult {
    /// The group of cases.
    pub group: &'static str,
    /// The rule.
    pub name: &'static str,
    /// What the case says.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

impl CaseResult {
    /// Group and name: `publish::one_message_arrives`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}::{}", self.group, self.name)
    }
}

/// A run of the suite; displayed as one line of JSON, it is [`Report::to_json`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Every case, in the order of the suite.
    pub results: Vec<CaseResult>,
}

#[derive(Serialize)]
struct Summary {
    binder: String,
    cases: usize,
    passed: usize,
    failed: usize,
    skipped: usize,
    failures: Vec<String>,
    broken: Vec<&'static str>,
}

impl Report {
    /// How many cases there were.
    #[must_use]
    pub fn cases(&self) -> usize {
        self.results.len()
    }

    /// How many passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.count(|verdict| *verdict == Verdict::Passed)
    }

    /// How many failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Failed(_)))
    }

    /// How many were skipped.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Skipped(_)))
    }

    fn count(&self, which: impl Fn(&Verdict) -> bool) -> usize {
        self.results
            .iter()
            .filter(|result| which(&result.verdict))
            .count()
    }

    /// The rules that are broken, with what shows it.
    pub fn failures(&self) -> impl Iterator<Item = (String, &str)> {
        self.results
            .iter()
            .filter_map(|result| match &result.verdict {
                Verdict::Failed(text) => Some((result.path(), text.as_str())),
                Verdict::Passed | Verdict::Skipped(_) => None,
            })
    }

    /// `{"binder", "cases", "passed", "failed", "skipped", "failures", "broken"}` on one line: the failed cases, and the
    /// names of the rules that are broken.
    #[must_use]
    pub fn to_json(&self, binder: &str) -> String {
        let summary = Summary {
            binder: binder.to_owned(),
            cases: self.cases(),
            passed: self.passed(),
            failed: self.failed(),
            skipped: self.skipped(),
            failures: self.failures().map(|(path, _)| path).collect(),
            broken: self.diagnosis().names(),
        };
        serde_json::to_string(&summary).unwrap_or_default()
    }
}
