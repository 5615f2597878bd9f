//! Destinations and groups before their first use.

use mq_core::{
    binder::{Binder, Capability, DestinationPlan},
    error::ErrorKind,
    policy::Provision,
};
use mq_memory::MemoryBinder;

use crate::kit::publish;

fn plan() -> [DestinationPlan; 2] {
    [
        DestinationPlan::new("orders")
            .partitions(3)
            .group("billing"),
        DestinationPlan::new("invoices"),
    ]
}

#[tokio::test]
async fn what_is_missing_is_made_once() {
    let binder = MemoryBinder::builder().partitions(2).build().unwrap();
    let report = binder.provision(&plan(), Provision::Create).await.unwrap();
    assert_eq!(report.created, ["orders", "orders/billing", "invoices"]);
    let again = binder.provision(&plan(), Provision::Create).await.unwrap();
    assert!(again.created.is_empty() && again.drift.is_empty());
    let list = binder.admin().destinations().await.unwrap();
    let partitions: Vec<_> = list
        .iter()
        .map(|info| (&*info.name, info.partitions))
        .collect();
    assert_eq!(partitions, [("invoices", 2), ("orders", 3)]);
}

#[tokio::test]
async fn a_difference_is_reported_and_left() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[]).await;
    let first = [DestinationPlan::new("orders").partitions(2)];
    binder.provision(&first, Provision::Create).await.unwrap();
    let report = binder.provision(&plan(), Provision::Create).await.unwrap();
    assert_eq!(
        report.drift[0].to_string(),
        "partitions of `orders`: wanted 3, found 2"
    );
}

#[tokio::test]
async fn verification_names_everything_at_once() {
    let binder = MemoryBinder::new();
    let error = binder
        .provision(&plan(), Provision::Verify)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("`orders`") && error.message().contains("`invoices`"));
    binder.provision(&plan(), Provision::Create).await.unwrap();
    let report = binder.provision(&plan(), Provision::Verify).await.unwrap();
    assert!(report.created.is_empty());
    let other = [DestinationPlan::new("orders").partitions(9).group("audit")];
    let error = binder
        .provision(&other, Provision::Verify)
        .await
        .unwrap_err();
    assert!(error.message().contains("wanted 9") && error.message().contains("`audit`"));
}

#[tokio::test]
async fn nothing_is_touched_where_that_was_asked_for() {
    let binder = MemoryBinder::new();
    binder.provision(&plan(), Provision::None).await.unwrap();
    assert!(binder.admin().destinations().await.unwrap().is_empty());
}

#[tokio::test]
async fn impossible_plans_are_refused_before_anything_is_made() {
    let binder = MemoryBinder::new();
    for partitions in [0, 4_097, u32::MAX] {
        let plan = [
            DestinationPlan::new("a"),
            DestinationPlan::new("b").partitions(partitions),
        ];
        let error = binder
            .provision(&plan, Provision::Create)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    assert!(binder.admin().destinations().await.unwrap().is_empty());
    let off = [Capability::Partitions];
    let single = MemoryBinder::builder().without(&off).build().unwrap();
    let error = single
        .provision(&plan(), Provision::Create)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
