//! An instance that misses a right says so until it has that right again, whatever else works meanwhile.

use std::{sync::Arc, time::Duration};

use mq_core::{
    binder::{
        Action, Binder, Consumer, ConsumerSpec, Event, Health, Producer, ProducerSpec, Record,
        Settlement,
    },
    error::{Error, ErrorKind, Result},
    message::Message,
};
use mq_kafka::{KafkaBinder, KafkaSettings, Mechanism};
use mq_testkit::harness::Server;
use tokio::time::{sleep, timeout};

use crate::{
    place::{PATIENCE, connect, name, publish, server, settings, topic, until},
    rights::{acl, acl_of},
    security::{login, with},
};

/// Longer than a subscription has to be silent before it counts as allowed.
const LONG: Duration = Duration::from_secs(5);

/// Settings of a user who has rights to lose.
fn secured(server: &Server) -> KafkaSettings {
    let password = &server.secured().expect("it was asked for").password;
    with(server, login(Mechanism::Plain, password))
}

fn to(destination: &str) -> Message {
    Message::new("x").destination(destination)
}

async fn send(producer: &dyn Producer, message: Message) -> Result<()> {
    let sent = producer.publish(&[message]).await;
    sent.into_iter().next().expect("a result").map(drop)
}

async fn producer(binder: &KafkaBinder, destination: &str) -> Arc<dyn Producer> {
    let producer = binder.producer(&ProducerSpec::new(destination)).await;
    producer.expect("a producer")
}

fn is_degraded(binder: &KafkaBinder) -> bool {
    matches!(binder.health(), Health::Degraded(_))
}

/// Whether a right is missing that was there once. What a busy cluster is late with is tried again.
fn is_missing(result: Result<()>) -> bool {
    let Err(error) = result else { return false };
    assert!(error.is_temporary(), "{}", error.chain());
    error.kind() == ErrorKind::Unauthorized
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_may_be_written_says_nothing_of_another() {
    let Some(server) = server().await else { return };
    let plain = connect(settings(server)).await;
    let (a, b) = (topic(&plain, "a", 1).await, topic(&plain, "b", 1).await);
    let binder = connect(secured(server)).await;
    let (own, named) = (producer(&binder, &b).await, producer(&binder, "none").await);
    for message in [to(&a), to(&b)] {
        send(&*named, message).await.expect("it is allowed");
    }
    send(&*own, Message::new("x")).await.expect("it is allowed");
    acl(server, &["--add", "--topic", &b]).await;
    until("it may not be written", async || {
        is_missing(send(&*named, to(&b)).await)
    })
    .await;
    send(&*named, to(&a)).await.expect("it is allowed");
    assert!(is_degraded(&binder), "{:?}", binder.health());
    acl(server, &["--remove", "--topic", &b]).await;
    // Another producer than the one that was refused.
    until("it may be written", async || {
        send(&*own, Message::new("x")).await.is_ok()
    })
    .await;
    assert_eq!(binder.health(), Health::Up);
    binder.close().await.expect("closed");
    plain.close().await.expect("closed");
}

/// What the consumer receives until there is a message, or its end.
async fn next(consumer: &mut dyn Consumer) -> Result<Record, Error> {
    let mut records = Vec::new();
    let receiving = async {
        while records.is_empty() {
            if let Event::Ended(error) = consumer.receive(&mut records, 1).await? {
                return Err(error);
            }
        }
        Ok(records.remove(0))
    };
    timeout(PATIENCE, receiving).await.expect("in time")
}

/// A step with one output; undone where it cannot be committed.
async fn step(consumer: &mut dyn Consumer, record: &Record, destination: &str) -> Result<()> {
    let mut step = consumer.transaction().await?;
    step.publish(&[to(destination)]).await?;
    step.settle(&[Settlement {
        lane: record.lane,
        position: record.position + 1,
        epoch: record.epoch,
        action: Action::Commit { saved: None },
    }])
    .await?;
    let committed = step.commit().await;
    if committed.is_err() {
        step.abort().await?;
    }
    committed.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_may_be_committed_says_nothing_of_other_destinations() {
    let Some(server) = server().await else { return };
    let plain = connect(settings(server)).await;
    let inputs = topic(&plain, "inputs", 1).await;
    let (a, b) = (topic(&plain, "a", 1).await, topic(&plain, "b", 1).await);
    let binder = connect(secured(server)).await;
    let spec = ConsumerSpec::new(inputs.as_str(), Some(&name("billing")));
    let mut consumer = binder.consumer(&spec).await.expect("a consumer");
    publish(&plain, &inputs, &[Message::new("x")]).await;
    let record = next(&mut *consumer).await.expect("a message");
    for destination in [&a, &b] {
        let done = step(&mut *consumer, &record, destination).await;
        done.expect("it is allowed");
    }
    acl(server, &["--add", "--topic", &b]).await;
    until("it may not be written", async || {
        step(&mut *consumer, &record, &b).await.is_err() && is_degraded(&binder)
    })
    .await;
    let done = step(&mut *consumer, &record, &a).await;
    done.expect("it is allowed");
    assert!(is_degraded(&binder), "{:?}", binder.health());
    acl(server, &["--remove", "--topic", &b]).await;
    until("it may be written", async || {
        step(&mut *consumer, &record, &b).await.is_ok()
    })
    .await;
    assert_eq!(binder.health(), Health::Up);
    drop(consumer);
    binder.close().await.expect("closed");
    plain.close().await.expect("closed");
}

/// A member of the group that was told of its first assignment.
async fn member(binder: &KafkaBinder, spec: &ConsumerSpec) -> Box<dyn Consumer> {
    let mut consumer = binder.consumer(spec).await.expect("a consumer");
    let assigned = async {
        let mut records = Vec::new();
        loop {
            let event = consumer.receive(&mut records, 1).await.expect("an event");
            if matches!(event, Event::Assigned(_)) {
                return;
            }
        }
    };
    timeout(PATIENCE, assigned).await.expect("in time");
    consumer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_allowed_when_each_of_its_destinations_may_be_read() {
    let Some(server) = server().await else { return };
    let plain = connect(settings(server)).await;
    let (orders, refunds) = (
        topic(&plain, "orders", 1).await,
        topic(&plain, "refunds", 1).await,
    );
    let binder = connect(secured(server)).await;
    let mut spec = ConsumerSpec::new(orders.as_str(), Some(&name("billing")));
    spec.destinations.push(refunds.as_str().into());
    let mut consumer = member(&binder, &spec).await;
    // When the second message of a topic is there, the first has been looked at.
    for topic in [&orders, &refunds, &orders, &refunds] {
        publish(&plain, topic, &[Message::new("x")]).await;
        next(&mut *consumer).await.expect("a message");
    }
    let user = format!("User:{}", server.secured().expect("asked for").user);
    let describe = [&*user, "Describe"];
    acl_of(server, describe, &["--add", "--topic", &refunds]).await;
    until("the end of the subscription", async || {
        publish(&plain, &refunds, &[Message::new("x")]).await;
        next(&mut *consumer).await.is_err()
    })
    .await;
    assert!(is_degraded(&binder), "{:?}", binder.health());
    drop(consumer);
    // Others have both partitions, so that it gets none and meets no refusal.
    let others = [member(&plain, &spec).await, member(&plain, &spec).await];
    let consumer = member(&binder, &spec).await;
    let watching = async {
        while is_degraded(&binder) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let regained = timeout(LONG, watching).await;
    assert!(regained.is_err(), "{:?}", binder.health());
    acl_of(server, describe, &["--remove", "--topic", &refunds]).await;
    until("it is known to be allowed", async || {
        binder.health() == Health::Up
    })
    .await;
    drop((consumer, others));
    binder.close().await.expect("closed");
    plain.close().await.expect("closed");
}
