//! The suite itself: what it believes, and how it reports.

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{
        Admin, Binder, Capabilities, Capability, Consumer, ConsumerSpec, DestinationPlan, Health,
        Producer, ProducerSpec, ProvisionReport,
    },
    error::{Error, ErrorKind, Result},
    policy::Provision,
};
use mq_memory::{MemoryBinder, MemoryBuilder};
use mq_testkit::conformance::{MemoryForm, Report, Subject, Suite, Verdict};

/// The memory binder, with a word of its own about what it can do.
#[derive(Debug)]
struct Boaster {
    inner: MemoryBinder,
    says: Capabilities,
}

#[async_trait]
impl Binder for Boaster {
    fn capabilities(&self) -> &Capabilities {
        &self.says
    }

    async fn provision(
        &self,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        self.inner.provision(plan, mode).await
    }

    async fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        self.inner.consumer(spec).await
    }

    async fn producer(&self, spec: &ProducerSpec) -> Result<Arc<dyn Producer>> {
        self.inner.producer(spec).await
    }

    fn health(&self) -> Health {
        self.inner.health()
    }

    fn admin(&self) -> &dyn Admin {
        self.inner.admin()
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

/// A broker that can do one thing and says another.
fn boaster(
    builder: MemoryBuilder,
    says: impl Fn(Capabilities) -> Capabilities + Clone + Send + Sync + 'static,
) -> Subject {
    let broker = builder.build().expect("settings without mistakes");
    Subject::new("boaster", move || {
        let (inner, says) = (broker.reopened(), says.clone());
        async move {
            let says = says(inner.capabilities().clone());
            Ok(Boaster { inner, says })
        }
    })
    .patience(std::time::Duration::from_secs(2))
}

async fn run(suite: &Suite, subject: impl Fn() -> Subject) -> Report {
    suite.run(subject).await
}

fn failures(report: &Report) -> Vec<String> {
    report.failures().map(|(path, _)| path).collect()
}

#[tokio::test]
async fn a_capability_that_no_case_can_exercise_is_not_believed() {
    let suite = Suite::new().filter("suite::");
    let subject = || {
        boaster(MemoryBinder::builder(), |says| {
            says.with(&[Capability::Durable])
        })
    };
    let report = run(&suite, subject).await;
    let (path, text) = report.failures().next().expect("one failure");
    assert_eq!(path, "suite::every_declared_capability_is_exercised");
    assert!(text.contains("Durable"), "{text}");
}

#[tokio::test]
async fn a_capability_that_is_declared_and_not_there_fails_its_cases() {
    for (capability, group) in [
        (Capability::Filter, "filters::"),
        (Capability::Transactions, "transactions::"),
        (Capability::DeadLetter, "dead_letters::"),
        (Capability::Seek, "seeking::"),
        (Capability::Lag, "admin::lag"),
        (Capability::Browse, "admin::browsing"),
        (Capability::AnonymousGroups, "groups::anonymous"),
        (Capability::DelayedDelivery, "time::a_delayed_message_is"),
        (Capability::DelayedRedelivery, "time::a_delayed_release_is"),
        (Capability::Priority, "time::the_priority"),
        (Capability::Expiry, "time::the_end"),
        (Capability::Extend, "attempts::a_deadline"),
        (Capability::DeliveryCount, "attempts::deliveries"),
        (Capability::Partitions, "partitions::an_explicit"),
        (Capability::KeyOrder, "order::a_key_waits"),
    ] {
        let suite = Suite::new().filter(group);
        let subject = move || {
            let weak = MemoryBinder::builder().without(&[capability]);
            boaster(weak, move |says| says.with(&[capability]))
        };
        let report = run(&suite, subject).await;
        assert!(report.failed() > 0, "{capability}: {report:?}");
    }
}

#[tokio::test]
async fn a_capability_that_is_there_and_not_declared_fails_its_refusal() {
    for capability in Capability::ALL {
        let suite = Suite::new().filter("refusals::");
        let subject = move || {
            boaster(MemoryBinder::builder(), move |says| {
                says.without(&[capability])
            })
        };
        let report = run(&suite, subject).await;
        // Nothing of the contract asks for these.
        let is_silent = matches!(
            capability,
            Capability::Durable | Capability::KeyOrder | Capability::StableIds
        );
        assert_eq!(
            report.failed() == 0,
            is_silent,
            "{capability}: {:?}",
            failures(&report)
        );
    }
}

#[tokio::test]
async fn a_server_that_is_missing_is_a_skip() {
    let subject = || {
        Subject::new("nowhere", || async {
            let error = Error::new(ErrorKind::Unavailable, "nobody listens").temporary();
            Err::<MemoryBinder, _>(error)
        })
    };
    let report = run(&Suite::new().filter("publish::one_message"), subject).await;
    let [result] = report.results.as_slice() else {
        panic!("one case: {report:?}");
    };
    let Verdict::Skipped(reason) = &result.verdict else {
        panic!("a skip: {result:?}");
    };
    assert!(reason.contains("nobody listens"), "{reason}");
}

#[tokio::test]
async fn a_binder_that_cannot_be_made_is_a_failure() {
    let subject = || {
        Subject::new("wrong", || async {
            Err::<MemoryBinder, _>(Error::new(ErrorKind::Config, "no such setting"))
        })
    };
    let report = run(&Suite::new().filter("publish::one_message"), subject).await;
    assert_eq!((report.failed(), report.cases()), (1, 1));
}

#[tokio::test]
async fn the_last_line_counts_and_names() {
    let report = run(&Suite::new().filter("publish::"), || {
        MemoryForm::Bare.subject()
    })
    .await;
    let json: serde_json::Value = serde_json::from_str(&report.to_json("memory")).expect("JSON");
    assert_eq!(json["cases"], report.cases());
    assert_eq!(json["failed"], 0);
    assert_eq!(
        json["passed"]
            .as_u64()
            .zip(json["skipped"].as_u64())
            .map(|(passed, skipped)| passed + skipped),
        json["cases"].as_u64()
    );
    assert_eq!(json["failures"], serde_json::json!([]));
}

#[test]
fn there_are_enough_cases_and_each_has_its_own_name() {
    let suite = Suite::new();
    let mut paths: Vec<_> = suite
        .cases()
        .iter()
        .map(mq_testkit::conformance::Case::path)
        .collect();
    assert!(paths.len() >= 300, "{}", paths.len());
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), suite.cases().len());
}

#[test]
fn every_capability_has_cases() {
    let suite = Suite::new();
    for capability in Capability::ALL {
        let count = suite
            .cases()
            .iter()
            .filter(|case| case.exercises(capability))
            .count();
        assert!(count > 0, "{capability}");
    }
}
