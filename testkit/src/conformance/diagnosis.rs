//! From failed cases to broken rules.

use std::collections::BTreeMap;

use super::{CaseResult, Report, Rule, Verdict, rule_of::rule_of};

/// What the failures of a run say about the binder.
///
/// Much fails where one thing is wrong: a binder that drops headers cannot filter by them either.
/// A rule counts as broken where a case of it fails and nothing that it rests on does; the other failures are consequences until that is
/// put right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The rules that are broken, each with its failed cases.
    pub broken: BTreeMap<Rule, Vec<String>>,
    /// Failed cases of other rules, with the broken rules that these rest on.
    pub consequences: BTreeMap<String, Vec<Rule>>,
}

impl Diagnosis {
    /// The names of the broken rules.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.broken.keys().map(|rule| rule.name()).collect()
    }
}

impl CaseResult {
    /// The rule that the case shows.
    #[must_use]
    pub fn rule(&self) -> Rule {
        rule_of(self.group, self.name)
    }
}

impl Report {
    /// Which rules are broken, and what else failed because of it.
    #[must_use]
    pub fn diagnosis(&self) -> Diagnosis {
        let mut failed: BTreeMap<Rule, Vec<String>> = BTreeMap::new();
        for result in &self.results {
            if matches!(result.verdict, Verdict::Failed(_)) {
                failed.entry(result.rule()).or_default().push(result.path());
            }
        }
        let is_root = |rule: Rule| !failed.keys().any(|other| rule.rests_on(*other));
        let roots: Vec<_> = failed
            .keys()
            .copied()
            .filter(|rule| is_root(*rule))
            .collect();
        let mut diagnosis = Diagnosis::default();
        for (rule, cases) in failed {
            if roots.contains(&rule) {
                diagnosis.broken.insert(rule, cases);
                continue;
            }
            let causes = roots.iter().copied().filter(|root| rule.rests_on(*root));
            let causes: Vec<_> = causes.collect();
            let cases = cases.into_iter().map(|case| (case, causes.clone()));
            diagnosis.consequences.extend(cases);
        }
        diagnosis
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::conformance::Suite;

    /// A report in which these cases failed.
    fn report(failed: &[(&'static str, &'static str)]) -> Report {
        let result = |(group, name): &(&'static str, &'static str)| CaseResult {
            group,
            name,
            verdict: Verdict::Failed("so".into()),
            took: Duration::ZERO,
        };
        Report {
            results: failed.iter().map(result).collect(),
        }
    }

    #[test]
    fn what_fails_because_of_another_rule_is_a_consequence() {
        let diagnosis = report(&[
            ("fidelity", "a_hundred_headers_arrive"),
            ("filters", "a_filter_lets_through_what_matches"),
            ("retry", "one_attempt_is_one_call"),
        ])
        .diagnosis();
        assert_eq!(diagnosis.names(), ["headers"]);
        assert_eq!(
            diagnosis.consequences["filters::a_filter_lets_through_what_matches"],
            [Rule::Headers]
        );
        assert_eq!(diagnosis.consequences.len(), 2);
    }

    #[test]
    fn rules_that_have_nothing_to_do_with_each_other_are_both_broken() {
        let diagnosis = report(&[
            ("fidelity", "a_hundred_headers_arrive"),
            ("fidelity", "keys_arrive_byte_for_byte"),
        ])
        .diagnosis();
        assert_eq!(diagnosis.names(), ["key", "headers"]);
    }

    #[test]
    fn what_only_the_framework_shows_is_its_rule() {
        let diagnosis = report(&[("retry", "one_attempt_is_one_call")]).diagnosis();
        assert_eq!(diagnosis.names(), ["framework"]);
    }

    #[test]
    fn every_rule_has_a_case() {
        let suite = Suite::new();
        for rule in Rule::ALL {
            let count = suite.cases().iter().filter(|case| case.rule() == *rule);
            assert!(count.count() > 0, "{rule}");
        }
    }
}
