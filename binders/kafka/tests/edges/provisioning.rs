//! Creating, verifying, and telling what differs.

use mq_core::{
    binder::{Binder, DestinationPlan},
    error::ErrorKind,
    policy::Provision,
};
use mq_kafka::Scalar;

use crate::place::{connect, name, server, settings, topic};

#[tokio::test(flavor = "multi_thread")]
async fn every_difference_is_told_and_left() {
    let Some(server) = server().await else { return };
    let plain = connect(settings(server)).await;
    let topic = topic(&plain, "drifted", 2).await;
    let mut wanting = settings(server);
    wanting.replication = Some(2);
    wanting
        .topic
        .insert("retention.ms".to_owned(), Scalar::Integer(60_000));
    wanting.topic.insert(
        "cleanup.policy".to_owned(),
        Scalar::Text("delete".to_owned()),
    );
    let wanting = connect(wanting).await;
    let plan = [DestinationPlan::new(topic.as_str()).partitions(4)];
    let report = wanting
        .provision(&plan, Provision::Create)
        .await
        .expect("a report");
    let drift: Vec<_> = report
        .drift
        .iter()
        .map(|one| (one.what, &*one.wanted, &*one.found))
        .collect();
    let expected = [
        ("partitions", "4", "2"),
        ("replication", "2", "1"),
        ("retention.ms", "60000", "604800000"),
    ];
    assert_eq!(drift, expected);
    let error = wanting
        .provision(&plan, Provision::Verify)
        .await
        .expect_err("it differs");
    assert_eq!(error.kind(), ErrorKind::Config);
    for what in ["partitions", "replication", "retention.ms", "verify"] {
        assert!(error.to_string().contains(what), "{what}: {error}");
    }
    plain.close().await.expect("closed");
    wanting.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_missing_is_named_beside_what_differs() {
    let Some(server) = server().await else { return };
    let binder = connect(settings(server)).await;
    let topic = topic(&binder, "there", 1).await;
    let (orders, refunds, audit) = (name("orders"), name("refunds"), name("audit"));
    let plan = [
        DestinationPlan::new(orders.as_str()),
        DestinationPlan::new(topic.as_str())
            .partitions(3)
            .group(audit.as_str()),
        DestinationPlan::new(refunds.as_str()),
    ];
    let error = binder
        .provision(&plan, Provision::Verify)
        .await
        .expect_err("much is missing");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    for what in [
        &orders,
        &refunds,
        &audit,
        "wanted 3, found 1",
        "provision = \"create\"",
    ] {
        assert!(error.to_string().contains(what), "{what}: {error}");
    }
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_grows_where_that_is_allowed() {
    let Some(server) = server().await else { return };
    let mut growing = settings(server);
    growing.grow = true;
    let binder = connect(growing).await;
    let topic = topic(&binder, "growing", 1).await;
    let plan = [DestinationPlan::new(topic.as_str()).partitions(3)];
    let report = binder
        .provision(&plan, Provision::Create)
        .await
        .expect("grown");
    assert!(report.drift.is_empty(), "{report:?}");
    let listed = binder.admin().destinations().await.expect("a list");
    assert_eq!(
        listed
            .iter()
            .find(|one| *one.name == *topic)
            .map(|one| one.partitions),
        Some(3)
    );
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cluster_refuses_says_how_to_ask() {
    let Some(server) = server().await else { return };
    let mut settings = settings(server);
    settings.replication = Some(9);
    let binder = connect(settings).await;
    let plan = [DestinationPlan::new(name("wide"))];
    let error = binder
        .provision(&plan, Provision::Create)
        .await
        .expect_err("one node has one copy");
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.to_string().contains("`replication`"), "{error}");
    let plan = [DestinationPlan::new("no such name?")];
    let error = binder
        .provision(&plan, Provision::Create)
        .await
        .expect_err("a wrong name");
    assert!(error.to_string().contains("letters"), "{error}");
    binder.close().await.expect("closed");
}
