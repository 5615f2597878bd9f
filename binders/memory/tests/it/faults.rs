//! Trouble on demand.

use std::time::Duration;

use mq_core::{
    binder::{Binder, ConsumerSpec, Event, Health},
    error::ErrorKind,
};
use mq_memory::{MemoryBinder, Refusal};
use tokio::time::Instant;

use crate::kit::{
    Reader, all_lost, commit_to, kept, keyed, lag, numbered, producer, publish, settlement, text,
    texts,
};

#[tokio::test]
async fn a_publication_is_refused_as_often_as_was_asked_for() {
    let binder = MemoryBinder::new();
    binder
        .faults()
        .refuse_publish("orders", 2, Refusal::Temporary);
    let producer = producer(&binder, "orders").await;
    let results = producer.publish(&numbered(0..3)).await;
    for result in &results[..2] {
        let error = result.as_ref().unwrap_err();
        assert!(error.is_temporary() && error.kind() == ErrorKind::Unavailable);
    }
    assert!(results[2].is_ok());
    assert_eq!(kept(&binder, "orders").await, ["2"]);
}

#[tokio::test]
async fn a_permanent_refusal_is_not_temporary() {
    let binder = MemoryBinder::new();
    binder
        .faults()
        .refuse_publish("ord*", 1, Refusal::Permanent);
    let other = producer(&binder, "refunds")
        .await
        .publish(&[text("a")])
        .await;
    assert!(other[0].is_ok());
    let results = producer(&binder, "orders")
        .await
        .publish(&[text("a")])
        .await;
    let error = results[0].as_ref().unwrap_err();
    assert!(!error.is_temporary() && error.kind() == ErrorKind::Rejected);
}

#[tokio::test]
async fn after_a_temporary_failure_the_rest_of_the_key_fails_too() {
    let binder = MemoryBinder::new();
    binder
        .faults()
        .refuse_publish("orders", 1, Refusal::Temporary);
    let messages = [keyed("a", "a1"), keyed("b", "b1"), keyed("a", "a2")];
    let results = producer(&binder, "orders").await.publish(&messages).await;
    let stored: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(stored, [false, true, false]);
    assert!(results[2].as_ref().unwrap_err().is_temporary());
}

#[tokio::test]
async fn after_a_permanent_failure_the_rest_of_the_key_is_stored() {
    let binder = MemoryBinder::new();
    binder
        .faults()
        .refuse_publish("orders", 1, Refusal::Permanent);
    let messages = [keyed("a", "a1"), keyed("a", "a2")];
    let results = producer(&binder, "orders").await.publish(&messages).await;
    assert!(results[0].is_err() && results[1].is_ok());
}

#[tokio::test]
async fn an_unconfirmed_publication_may_be_stored() {
    let binder = MemoryBinder::new();
    binder.faults().withhold_confirm(1);
    let producer = producer(&binder, "orders").await;
    let results = producer.publish(&[text("a")]).await;
    assert!(results[0].as_ref().unwrap_err().is_temporary());
    assert_eq!(kept(&binder, "orders").await, ["a"]);
    assert!(producer.publish(&[text("b")]).await[0].is_ok());
}

#[tokio::test]
async fn a_failed_settlement_has_no_effect() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    binder.faults().fail_settle(1);
    let ack = [settlement(&records[0], mq_core::binder::Action::Ack)];
    let error = reader.consumer.settler().settle(&ack).await.unwrap_err();
    assert!(error.is_temporary());
    assert_eq!(lag(&binder, "orders", "billing").await, 1);
    reader.ack(&records).await;
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
}

#[tokio::test]
async fn a_lost_acknowledgement_delivers_again() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..2)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(2).await;
    binder.faults().duplicate_delivery(1);
    reader.ack(&records).await;
    let again = reader.now().await;
    assert_eq!(
        (texts(&again), again[0].deliveries),
        (vec!["0".to_owned()], Some(2))
    );
    reader.ack(&again).await;
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
}

#[tokio::test]
async fn a_lost_commit_delivers_again() {
    let binder = MemoryBinder::builder().positional().build().unwrap();
    publish(&binder, "orders", &numbered(0..2)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(reader.next(2).await.len(), 2);
    binder.faults().duplicate_delivery(1);
    let commit = commit_to(&reader.lanes[0], 2);
    assert!(
        reader
            .settle_all(std::slice::from_ref(&commit))
            .await
            .is_empty()
    );
    assert!(matches!(reader.event(1).await.0, Event::Lost { .. }));
    assert!(
        matches!(reader.event(1).await.0, Event::Assigned(lanes) if lanes[0].position == Some(0))
    );
    assert_eq!(texts(&reader.now().await), ["0", "1"]);
    assert!(all_lost(&reader.settle_all(&[commit]).await));
}

#[tokio::test(start_paused = true)]
async fn slowness_delays_every_call() {
    let binder = MemoryBinder::new();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let second = Duration::from_secs(1);
    binder.faults().slow(second);
    let start = Instant::now();
    publish(&binder, "orders", &[text("a")]).await;
    assert!(start.elapsed() >= second);
    let records = reader.next(1).await;
    reader.ack(&records).await;
    assert!(start.elapsed() >= 3 * second);
    binder.faults().slow(Duration::ZERO);
    let start = Instant::now();
    publish(&binder, "orders", &[text("b")]).await;
    assert!(start.elapsed() < second);
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_ends_subscriptions_and_gives_back_their_messages() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    binder.faults().lose_connection();
    assert!(matches!(binder.health(), Health::Down(_)));
    let (event, _) = reader.event(1).await;
    assert!(matches!(event, Event::Ended(error) if error.is_temporary()));
    let results = producer_error(&binder).await;
    assert_eq!(results, ErrorKind::Unavailable);
    let ack = [settlement(&records[0], mq_core::binder::Action::Ack)];
    assert!(
        reader
            .consumer
            .settler()
            .settle(&ack)
            .await
            .unwrap_err()
            .is_temporary()
    );
    binder.faults().restore();
    assert_eq!(binder.health(), Health::Up);
    assert!(all_lost(&reader.settle_all(&ack).await));
    let mut again = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(texts(&again.next(1).await), ["a"]);
}

async fn producer_error(binder: &MemoryBinder) -> ErrorKind {
    let spec = ConsumerSpec::new("orders", Some("billing"));
    binder.consumer(&spec).await.err().unwrap().kind()
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_wakes_whoever_waits() {
    let binder = MemoryBinder::new();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let faults = binder.faults();
    let task = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        faults.lose_connection();
    });
    assert!(matches!(reader.event(1).await.0, Event::Ended(_)));
    task.await.unwrap();
}

#[tokio::test]
async fn a_producer_survives_a_lost_connection() {
    let binder = MemoryBinder::new();
    let producer = producer(&binder, "orders").await;
    binder.faults().lose_connection();
    assert!(
        producer.publish(&[text("a")]).await[0]
            .as_ref()
            .unwrap_err()
            .is_temporary()
    );
    binder.faults().restore();
    assert!(producer.publish(&[text("a")]).await[0].is_ok());
}

#[tokio::test]
async fn lost_lanes_come_back_with_their_messages() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..2)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(2).await;
    reader.consumer.pause(&[reader.lanes[0].id]).await.unwrap();
    binder.faults().lose_lanes("orders");
    assert!(matches!(reader.event(1).await.0, Event::Lost { .. }));
    assert!(all_lost(
        &reader
            .settle(&records[0], mq_core::binder::Action::Ack)
            .await
    ));
    assert!(matches!(reader.event(1).await.0, Event::Assigned(_)));
    let again = reader.now().await;
    assert_eq!(texts(&again), ["0", "1"]);
    reader.ack(&again).await;
}
