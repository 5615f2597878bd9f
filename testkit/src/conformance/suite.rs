//! The suite as a whole.

use std::sync::Arc;

use tokio::{sync::Semaphore, task::JoinSet};

use super::{Case, CaseResult, Report, Subject, run};

/// Cases to run.
#[derive(Clone, Debug)]
pub struct Suite {
    cases: Vec<Case>,
    at_once: usize,
}

impl Suite {
    /// Every case, eight at a time.
    #[must_use]
    pub fn new() -> Self {
        Self {
            cases: crate::__conformance_cases! { table },
            at_once: 8,
        }
    }

    /// Only the cases whose path (`publish::one_message_arrives`) contains this text.
    #[must_use]
    pub fn filter(mut self, text: &str) -> Self {
        self.cases.retain(|case| case.path().contains(text));
        self
    }

    /// How many cases run at once, at least one.
    #[must_use]
    pub fn at_once(mut self, count: usize) -> Self {
        self.at_once = count.max(1);
        self
    }

    /// The cases, in order.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Runs the cases; each gets a subject of its own from `subject`.
    ///
    /// Needs a runtime of tokio with time and input/output. Dropping the future ends the cases that run.
    pub async fn run(&self, subject: impl Fn() -> Subject) -> Report {
        let turns = Arc::new(Semaphore::new(self.at_once));
        let mut running = JoinSet::new();
        for (index, case) in self.cases.iter().cloned().enumerate() {
            let (turns, subject) = (turns.clone(), subject());
            running.spawn(async move {
                // Never closed: the error cannot happen, and would only mean to begin at once.
                let _turn = turns.acquire_owned().await;
                (index, run::run(&case, subject).await)
            });
        }
        let mut results: Vec<(usize, CaseResult)> = Vec::new();
        while let Some(ended) = running.join_next().await {
            results.extend(ended);
        }
        results.sort_by_key(|(index, _)| *index);
        Report {
            results: results.into_iter().map(|(_, result)| result).collect(),
        }
    }
}

impl Default for Suite {
    fn default() -> Self {
        Self::new()
    }
}
