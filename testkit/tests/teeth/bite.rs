//! One broken binder under the whole suite.

use std::{sync::Arc, time::Duration};

use mq_core::binder::Capability;
use mq_memory::MemoryBuilder;
use mq_testkit::conformance::{
    Diagnosis, MemoryForm, Report, Rule, Subject, Suite, memory_subject,
};

use crate::{flaw::Flaw, wrapped::Wrapped};

/// A rule, a binder that breaks it, and some of the cases that find it out.
pub(crate) struct Tooth {
    /// The rule that is broken.
    pub rule: Rule,
    /// What the broker under it can do.
    pub broker: fn() -> MemoryBuilder,
    /// The mistake, anew for each case.
    pub flaw: fn() -> Arc<dyn Flaw>,
    /// These find it out at least.
    pub cases: &'static [&'static str],
}

/// Everything.
pub(crate) fn strong() -> MemoryBuilder {
    MemoryForm::Strong.builder()
}

/// Positions.
pub(crate) fn log() -> MemoryBuilder {
    MemoryForm::Log.builder()
}

/// Nothing but the necessary.
pub(crate) fn bare() -> MemoryBuilder {
    MemoryForm::Bare.builder()
}

/// Everything but the order of keys.
pub(crate) fn no_key_order() -> MemoryBuilder {
    strong().without(&[Capability::KeyOrder])
}

/// The suite over a binder with this mistake.
pub(crate) async fn run(broker: fn() -> MemoryBuilder, flaw: fn() -> Arc<dyn Flaw>) -> Report {
    let subject = || -> Subject {
        let broker = broker().build().expect("settings without contradictions");
        let flaw = flaw();
        memory_subject(&broker)
            .patience(PATIENCE)
            .wrap(move |real| Wrapped::new(real, flaw.clone()))
    };
    // Cases wait for what does not come more than they work.
    Suite::new().at_once(64).run(subject).await
}

/// How long something may take that a broken binder never does.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the suite names the rule that is broken, and no other.
pub(crate) async fn check(tooth: Tooth) {
    let report = run(tooth.broker, tooth.flaw).await;
    let diagnosis = report.diagnosis();
    let story = || tell(&report, &diagnosis);
    assert_eq!(diagnosis.names(), [tooth.rule.name()], "{}", story());
    let found = &diagnosis.broken[&tooth.rule];
    for case in tooth.cases {
        let is_case = |one: &String| one.rsplit("::").next() == Some(case);
        assert!(found.iter().any(is_case), "{case}: {}", story());
    }
}

/// Every failure with its rule.
fn tell(report: &Report, diagnosis: &Diagnosis) -> String {
    let mut story = String::from("\n");
    for result in &report.results {
        if let mq_testkit::conformance::Verdict::Failed(text) = &result.verdict {
            let text: String = text.chars().take(200).collect();
            story += &format!("  [{}] {}: {text}\n", result.rule(), result.path());
        }
    }
    story + &format!("  named: {:?}\n", diagnosis.names())
}
