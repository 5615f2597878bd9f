//! Partitions, and the order of messages of one key.

use std::collections::BTreeMap;

use mq_core::{binder::Action, error::ErrorKind, message::Message};
use mq_memory::MemoryBinder;

use crate::kit::{
    Reader, all_lost, keyed, numbered, partitions, producer, publish, release, text, texts,
};

fn partitioned(partitions: u32) -> MemoryBinder {
    let builder = MemoryBinder::builder().partitions(partitions);
    builder.build().unwrap()
}

#[tokio::test]
async fn messages_of_a_key_go_to_one_partition() {
    let binder = partitioned(4);
    let messages: Vec<Message> = (0..100)
        .map(|number| keyed(&format!("k{}", number % 10), &number.to_string()))
        .collect();
    let results = producer(&binder, "orders").await.publish(&messages).await;
    let mut places = BTreeMap::new();
    for (message, result) in messages.iter().zip(results) {
        let partition = result.unwrap().partition;
        assert_eq!(
            *places.entry(message.as_key()).or_insert(partition),
            partition
        );
    }
    let mut used: Vec<_> = places.into_values().collect();
    used.sort_unstable();
    used.dedup();
    assert!(used.len() > 1, "{used:?}");
}

#[tokio::test]
async fn messages_without_a_key_go_to_partitions_in_turn() {
    let binder = partitioned(3);
    let results = producer(&binder, "orders")
        .await
        .publish(&numbered(0..6))
        .await;
    let places: Vec<_> = results
        .into_iter()
        .map(|result| result.unwrap().partition.unwrap())
        .collect();
    assert_eq!(places, [0, 1, 2, 0, 1, 2]);
}

#[tokio::test]
async fn a_message_may_choose_its_partition() {
    let binder = partitioned(3);
    let message = keyed("k", "a").partition(2);
    let result = producer(&binder, "orders").await.publish(&[message]).await;
    assert_eq!(result[0].as_ref().unwrap().partition, Some(2));
}

#[tokio::test]
async fn a_partition_that_is_not_there_is_refused() {
    let binder = partitioned(3);
    let result = producer(&binder, "orders")
        .await
        .publish(&[text("a").partition(3)])
        .await;
    let error = result[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn every_partition_is_a_lane() {
    let binder = partitioned(4);
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(partitions(&reader.lanes), [0, 1, 2, 3]);
    publish(&binder, "orders", &numbered(0..8)).await;
    let records = reader.next(8).await;
    for lane in &reader.lanes {
        let own: Vec<_> = records
            .iter()
            .filter(|record| record.lane == lane.id)
            .collect();
        let positions: Vec<_> = own.iter().map(|record| record.position).collect();
        assert_eq!(positions, [0, 1]);
    }
    reader.ack(&records).await;
}

#[tokio::test]
async fn one_message_of_a_key_is_out_at_a_time() {
    let binder = MemoryBinder::new();
    let messages = [
        keyed("a", "a1"),
        keyed("a", "a2"),
        keyed("b", "b1"),
        text("x"),
        keyed("a", "a3"),
    ];
    publish(&binder, "orders", &messages).await;
    let mut first = Reader::of(&binder, "orders", "billing").await;
    let mut second = Reader::of(&binder, "orders", "billing").await;
    let records = first.now().await;
    assert_eq!(texts(&records), ["a1", "b1", "x"]);
    assert!(second.now().await.is_empty());
    first.ack(&records[..1]).await;
    let next = second.now().await;
    assert_eq!(texts(&next), ["a2"]);
    second.ack(&next).await;
    assert_eq!(texts(&first.now().await), ["a3"]);
}

#[tokio::test]
async fn a_released_message_comes_before_the_rest_of_its_key() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[keyed("a", "a1"), keyed("a", "a2")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    for attempts in 1..4 {
        let records = reader.now().await;
        assert_eq!(texts(&records), ["a1"]);
        assert!(
            reader
                .settle(&records[0], release(attempts))
                .await
                .is_empty()
        );
    }
    let records = reader.now().await;
    reader.ack(&records).await;
    assert_eq!(texts(&reader.now().await), ["a2"]);
}

#[tokio::test]
async fn a_crash_keeps_the_order_of_a_key() {
    let binder = MemoryBinder::new();
    publish(
        &binder,
        "orders",
        &[keyed("a", "a1"), keyed("a", "a2"), keyed("a", "a3")],
    )
    .await;
    let mut first = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(texts(&first.now().await), ["a1"]);
    drop(first);
    let mut second = Reader::of(&binder, "orders", "billing").await;
    for expected in ["a1", "a2", "a3"] {
        let records = second.now().await;
        assert_eq!(texts(&records), [expected]);
        second.ack(&records).await;
    }
}

#[tokio::test]
async fn a_long_line_of_one_key_does_not_hide_the_others() {
    let binder = MemoryBinder::new();
    let mut messages: Vec<_> = (0..20_000)
        .map(|number| keyed("a", &number.to_string()))
        .collect();
    messages.push(keyed("b", "b1"));
    publish(&binder, "orders", &messages).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(texts(&reader.next(2).await), ["0", "b1"]);
}

#[tokio::test]
async fn only_who_has_a_message_settles_it() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..2)).await;
    let mut first = Reader::of(&binder, "orders", "billing").await;
    let second = Reader::of(&binder, "orders", "billing").await;
    let records = first.next(2).await;
    let mut foreign = records[0].clone();
    foreign.epoch = second.lanes[0].epoch;
    for action in [Action::Ack, release(1), Action::Discard] {
        assert!(all_lost(&second.settle(&foreign, action).await));
    }
    first.ack(&records).await;
}
