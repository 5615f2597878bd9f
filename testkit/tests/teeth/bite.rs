//! One broken binder under the whole suite.

use std::{sync::Arc, time::Duration};

use mq_core::binder::Capability;
use mq_memory::MemoryBuilder;
use mq_testkit::conformance::{
    Diagnosis, MemoryForm, Report, Rule, Subject, Suite, Verdict, memory_subject,
};

use crate::{
    flaw::{Flaw, Flawless},
    wrapped::Wrapped,
};

/// A rule, a binder that breaks it, and some of the cases that find it out.
pub(crate) struct Tooth {
    /// The rule that is broken.
    pub(crate) rule: Rule,
    /// What the broker under it can do.
    pub(crate) broker: fn() -> MemoryBuilder,
    /// The mistake, anew for each case.
    pub(crate) flaw: fn() -> Arc<dyn Flaw>,
    /// These find it out at least.
    pub(crate) cases: &'static [&'static str],
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

/// How long something may take that a broken binder never does. Short, because most of a run is waiting for that.
const SHORT: Duration = Duration::from_secs(2);

/// These cases over a binder with this mistake.
async fn run(suite: Suite, tooth: &Tooth, patience: Duration) -> Report {
    let subject = || -> Subject {
        let broker = (tooth.broker)().build();
        let broker = broker.expect("settings without contradictions");
        let flaw = (tooth.flaw)();
        memory_subject(&broker)
            .patience(patience)
            .wrap(move |real| Wrapped::new(real, flaw.clone()))
    };
    suite.run(subject).await
}

/// The whole suite over a binder without a mistake, with the time that it gives to any binder.
pub(crate) async fn run_flawless(broker: fn() -> MemoryBuilder) -> Report {
    let flawless = Tooth {
        rule: Rule::Framework,
        broker,
        flaw: || Arc::new(Flawless),
        cases: &[],
    };
    run(Suite::new(), &flawless, LONG).await
}

/// Gives cases more time that failed unexpectedly: a machine that has other things to do takes longer than [`SHORT`].
async fn give_time(report: &mut Report, tooth: &Tooth) {
    for result in &mut report.results {
        let is_expected = result.rule() == tooth.rule || result.rule().rests_on(tooth.rule);
        if is_expected || !matches!(result.verdict, Verdict::Failed(_)) {
            continue;
        }
        let again = run(Suite::new().filter(&result.path()), tooth, LONG).await;
        let mut again = again.results.into_iter();
        if let Some(again) = again.find(|again| again.path() == result.path()) {
            *result = again;
        }
    }
}

/// What the suite gives to any binder.
const LONG: Duration = Duration::from_secs(10);

/// Whether the suite names the rule that is broken, and no other.
pub(crate) async fn check(tooth: Tooth) {
    // Cases wait for what does not come more than they work.
    let mut report = run(Suite::new().at_once(64), &tooth, SHORT).await;
    give_time(&mut report, &tooth).await;
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
        if let Verdict::Failed(text) = &result.verdict {
            let text: String = text.chars().take(200).collect();
            story += &format!("  [{}] {}: {text}\n", result.rule(), result.path());
        }
    }
    story + &format!("  named: {:?}\n", diagnosis.names())
}
