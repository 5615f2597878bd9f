//! One broken binder under the whole suite.

use std::{sync::Arc, time::Duration};

use mq_core::{
    binder::Capability,
    error::{Error, ErrorKind, Result},
};
use mq_memory::{MemoryBinder, MemoryBuilder, Refusal};
use mq_testkit::conformance::{
    Diagnosis, Fault, MemoryForm, Report, Rule, Subject, Suite, Verdict, memory_subject,
};

use crate::{flaw::Flaw, wrapped::Wrapped};

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

/// Everything but this.
pub(crate) fn without(capability: Capability) -> MemoryBuilder {
    strong().without(&[capability])
}

/// How long something may take that a broken binder never does. Short, because most of a run is waiting for that.
const SHORT: Duration = Duration::from_secs(2);

/// These cases over a binder with this mistake.
async fn run(suite: Suite, tooth: &Tooth, patience: Duration) -> Report {
    let subject = || -> Subject {
        let broker = (tooth.broker)().build();
        let broker = broker.expect("settings without contradictions");
        subject(broker, (tooth.flaw)()).patience(patience)
    };
    suite.run(subject).await
}

/// Instances with this mistake, with every trouble that its broker can make.
fn subject(broker: MemoryBinder, flaw: Arc<dyn Flaw>) -> Subject {
    let wrap = {
        let flaw = flaw.clone();
        move |real| Wrapped::new(real, flaw.clone())
    };
    let faults = match flaw.at_restart() {
        Some(_) => &FAULTS[..],
        None => &FAULTS[1..],
    };
    memory_subject(&broker)
        .wrap(wrap)
        .faults(faults, move |fault, destination| {
            order(broker.clone(), flaw.clone(), fault, destination)
        })
}

const FAULTS: [Fault; 6] = [
    Fault::Restart,
    Fault::Cut,
    Fault::RefusePublish,
    Fault::LoseConfirm,
    Fault::LoseAck,
    Fault::LoseLanes,
];

async fn order(
    broker: MemoryBinder,
    flaw: Arc<dyn Flaw>,
    fault: Fault,
    destination: String,
) -> Result<()> {
    let faults = broker.faults();
    match fault {
        Fault::Cut => faults.lose_connection(),
        Fault::Mend => faults.restore(),
        Fault::RefusePublish => faults.refuse_publish(&destination, 1, Refusal::Temporary),
        Fault::LoseConfirm => faults.withhold_confirm(1),
        Fault::LoseAck => faults.duplicate_delivery(1),
        Fault::LoseLanes => faults.lose_lanes(&destination),
        // A broker in memory that was away for a moment: it has kept everything, but for the mistake.
        Fault::Restart => {
            faults.lose_connection();
            faults.restore();
            if let Some(restart) = flaw.at_restart() {
                restart(&broker).await?;
            }
        }
        _ => return Err(Error::new(ErrorKind::Unsupported, fault.name())),
    }
    Ok(())
}

/// The whole suite over a binder that makes no mistake, with the time that it gives to any binder.
pub(crate) async fn run_flawless(
    broker: fn() -> MemoryBuilder,
    flaw: fn() -> Arc<dyn Flaw>,
) -> Report {
    let flawless = Tooth {
        rule: Rule::Framework,
        broker,
        flaw,
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
