//! One case on one subject.

use std::time::Instant;

use mq_core::error::ErrorKind;
use tokio::{sync::RwLock, time::timeout};

use super::{Case, CaseResult, Subject, Suite, Verdict, context::Context};

/// A case that restarts a broker that others use, or cuts them off from it, runs alone.
static ALONE: RwLock<()> = RwLock::const_new(());

/// Runs a case; a panic in it is a failure.
pub(crate) async fn run(case: &Case, subject: Subject) -> CaseResult {
    let begin = Instant::now();
    let verdict = if case.runs_alone(&subject) {
        let _alone = ALONE.write().await;
        judge(case, subject).await
    } else {
        let _together = ALONE.read().await;
        judge(case, subject).await
    };
    CaseResult {
        group: case.group(),
        name: case.name(),
        verdict,
        took: begin.elapsed(),
    }
}

async fn judge(case: &Case, subject: Subject) -> Verdict {
    let binder = match subject.connect().await {
        Ok(binder) => binder,
        Err(error) if error.kind() == ErrorKind::Unavailable && !is_required(subject.name()) => {
            return Verdict::Skipped(format!("the server is missing: {}", error.chain()));
        }
        Err(error) => return Verdict::Failed(format!("cannot connect: {}", error.chain())),
    };
    if let Some(reason) = case.missing(&subject, binder.capabilities()) {
        drop(binder.close().await);
        return Verdict::Skipped(reason);
    }
    let time = case.time(&subject);
    let context = Context::new(subject, binder);
    let mut running = tokio::spawn(case.run(context.clone()));
    let verdict = match timeout(time, &mut running).await {
        Ok(Ok(Ok(()))) => Verdict::Passed,
        Ok(Ok(Err(broken))) => match broken.skipped() {
            Some(reason) => Verdict::Skipped(reason.to_owned()),
            None => Verdict::Failed(broken.to_string()),
        },
        Ok(Err(panic)) => Verdict::Failed(format!("the case panicked: {panic}")),
        Err(_) => {
            running.abort();
            Verdict::Failed(format!("not done within {time:?}"))
        }
    };
    context.end().await;
    verdict
}

/// Whether `MQ_REQUIRE` names the subject: then a missing server is a failure.
fn is_required(name: &str) -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the runs of the project's gate say in it which servers must be there"
    )]
    let required = std::env::var("MQ_REQUIRE").unwrap_or_default();
    required.split(',').any(|one| one.trim() == name)
}

/// Runs one case as a test: panics if the rule is broken, and prints why if the case is skipped.
///
/// # Panics
/// The rule is broken, or there is no such case.
#[expect(
    clippy::print_stdout,
    reason = "the test harness shows it beside the test"
)]
pub fn check(subject: Subject, group: &str, name: &str) {
    let suite = Suite::new();
    let mut cases = suite.cases().iter();
    let case = cases.find(|case| case.group() == group && case.name() == name);
    let Some(case) = case else {
        panic!("there is no case {group}::{name}");
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime: {error}"),
    };
    match runtime.block_on(run(case, subject)).verdict {
        Verdict::Passed => {}
        Verdict::Failed(text) => {
            let rule = case.rule();
            panic!("the rule `{rule}` is broken: {}\n{text}", rule.text())
        }
        Verdict::Skipped(reason) => println!("skipped: {reason}"),
    }
}
