//! A cluster that is not there, and demands that it does not meet.

use std::time::Duration;

use mq_core::{
    binder::{Binder, ConsumerSpec, DestinationPlan, Health, ProducerSpec},
    error::ErrorKind,
    message::Message,
    policy::Provision,
};
use mq_testkit::harness::Proxy;

use crate::server::{broker, connect, name, settings, topic};

/// An address where nobody listens.
fn nowhere() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_broker_is_a_state_and_each_call_says_so() {
    let mut settings = settings(&nowhere());
    settings.timeout = Duration::from_secs(1);
    settings.delivery_timeout = Duration::from_secs(1);
    let binder = connect(settings).await;
    assert!(
        matches!(binder.health(), Health::Down(_)),
        "{:?}",
        binder.health()
    );
    let plan = DestinationPlan::new("orders");
    for mode in [Provision::Create, Provision::Verify] {
        let error = binder
            .provision(std::slice::from_ref(&plan), mode)
            .await
            .unwrap_err();
        assert!(error.is_temporary(), "{error:?}");
    }
    let error = binder
        .consumer(&ConsumerSpec::new("orders", Some("billing")))
        .await
        .err()
        .unwrap();
    assert!(error.is_temporary(), "{error:?}");
    let producer = binder.producer(&ProducerSpec::new("orders")).await.unwrap();
    let result = producer.publish(&[Message::new("x")]).await.remove(0);
    assert!(
        result
            .as_ref()
            .is_err_and(mq_core::error::Error::is_temporary),
        "{result:?}"
    );
    binder.close().await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn something_that_is_not_kafka_is_a_state_too() {
    let Some(address) = broker().await else {
        return;
    };
    // It accepts connections and says nothing that Kafka would.
    let silent = Proxy::to(address).unwrap();
    silent.half_open(mq_testkit::harness::Direction::ToClient);
    let mut settings = settings(&silent.addr().to_string());
    settings.timeout = Duration::from_secs(1);
    let binder = connect(settings).await;
    assert!(
        matches!(binder.health(), Health::Down(_)),
        "{:?}",
        binder.health()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_names_everything_that_is_missing() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let (orders, refunds) = (name("orders"), name("refunds"));
    let plan = [
        DestinationPlan::new(orders.as_str()),
        DestinationPlan::new(refunds.as_str()),
    ];
    let error = binder
        .provision(&plan, Provision::Verify)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    for expected in [&orders, &refunds, "provision = \"create\""] {
        assert!(error.message().contains(expected), "{error}");
    }
    let error = binder
        .consumer(&ConsumerSpec::new(orders.as_str(), Some("billing")))
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains(&orders), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_partitions_than_there_are_is_a_difference() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let orders = topic(&binder, "orders", 2).await;
    let plan = DestinationPlan::new(orders.as_str()).partitions(6);
    let report = binder
        .provision(std::slice::from_ref(&plan), Provision::Create)
        .await
        .unwrap();
    let drift = &report.drift[0];
    assert_eq!(
        (drift.what, drift.wanted.as_str(), drift.found.as_str()),
        ("partitions", "6", "2")
    );
    let error = binder
        .provision(&[plan], Provision::Verify)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}
