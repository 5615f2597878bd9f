//! Messages go in and come out.

use std::time::Duration;

use mq_core::{
    binder::{Action, Binder, ConsumerSpec, Receipt},
    error::ErrorKind,
    message::Message,
};
use mq_memory::MemoryBinder;

use crate::kit::{
    Reader, all_lost, kept, keyed, lag, numbered, producer, publish, settlement, text, texts,
};

#[tokio::test]
async fn what_is_published_arrives_in_order_and_is_gone_when_it_is_acknowledged() {
    let binder = MemoryBinder::new();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    publish(&binder, "orders", &[text("a"), text("b"), text("c")]).await;
    let records = reader.next(3).await;
    assert_eq!(texts(&records), ["a", "b", "c"]);
    reader.ack(&records).await;
    drop(reader);
    let mut again = Reader::of(&binder, "orders", "billing").await;
    assert!(again.now().await.is_empty());
}

#[tokio::test]
async fn a_second_settlement_of_a_delivery_is_lost() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    reader.ack(&records).await;
    let unsettled = reader.settle(&records[0], Action::Ack).await;
    assert!(all_lost(&unsettled));
}

#[tokio::test]
async fn what_a_dropped_consumer_had_is_delivered_again_in_order() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a"), text("b"), text("c")]).await;
    let mut first = Reader::of(&binder, "orders", "billing").await;
    let mut second = Reader::of(&binder, "orders", "billing").await;
    let records = first.next(3).await;
    first.ack(&records[1..2]).await;
    drop(first);
    let records = second.next(2).await;
    assert_eq!(texts(&records), ["a", "c"]);
    assert_eq!(records[0].deliveries, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_consumer_is_woken_by_a_message() {
    let binder = MemoryBinder::new();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let publisher = binder.clone();
    let task = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        publish(&publisher, "orders", &[text("a")]).await;
    });
    assert_eq!(texts(&reader.next(1).await), ["a"]);
    task.await.unwrap();
}

#[tokio::test]
async fn no_more_is_handed_over_than_was_asked_for() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..5)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let (_, first) = reader.event(2).await;
    let (_, second) = reader.event(9).await;
    assert_eq!((first.len(), second.len()), (2, 3));
}

#[tokio::test]
async fn the_window_bounds_what_is_unsettled() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..5)).await;
    let mut spec = ConsumerSpec::new("orders", Some("billing"));
    spec.window = 2;
    let mut reader = Reader::new(&binder, &spec).await;
    let records = reader.now().await;
    assert_eq!(texts(&records), ["0", "1"]);
    assert!(reader.now().await.is_empty());
    reader.ack(&records[1..]).await;
    assert_eq!(texts(&reader.now().await), ["2"]);
}

#[tokio::test(start_paused = true)]
async fn a_settlement_wakes_a_consumer_whose_window_was_full() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..2)).await;
    let mut spec = ConsumerSpec::new("orders", Some("billing"));
    spec.window = 1;
    let mut reader = Reader::new(&binder, &spec).await;
    let records = reader.next(1).await;
    let settler = reader.consumer.settler();
    let task = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        settler
            .settle(&[settlement(&records[0], Action::Ack)])
            .await
    });
    assert_eq!(texts(&reader.next(1).await), ["1"]);
    assert!(task.await.unwrap().unwrap().is_empty());
}

#[tokio::test]
async fn dropping_a_receive_loses_nothing() {
    let binder = MemoryBinder::new();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    for number in 0..10 {
        assert!(reader.now().await.is_empty());
        publish(&binder, "orders", &[text(number.to_string())]).await;
        let records = reader.now().await;
        assert_eq!(texts(&records), [number.to_string()]);
        reader.ack(&records).await;
    }
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
}

#[tokio::test]
async fn one_consumer_reads_several_destinations() {
    let binder = MemoryBinder::new();
    let mut spec = ConsumerSpec::new("orders", Some("billing"));
    spec.destinations = vec!["orders".into(), "refunds".into(), "orders".into()];
    let mut reader = Reader::new(&binder, &spec).await;
    assert_eq!(reader.lanes.len(), 2);
    publish(&binder, "orders", &[text("o")]).await;
    publish(&binder, "refunds", &[text("r")]).await;
    let records = reader.next(2).await;
    for record in &records {
        let lane = reader.lanes.iter().find(|lane| lane.id == record.lane);
        let initial = &texts(std::slice::from_ref(record))[0];
        assert!(lane.unwrap().lane.destination.starts_with(initial));
    }
    reader.ack(&records).await;
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
    assert_eq!(lag(&binder, "refunds", "billing").await, 0);
}

#[tokio::test]
async fn a_busy_destination_does_not_starve_the_others() {
    let binder = MemoryBinder::new();
    let mut spec = ConsumerSpec::new("busy", Some("billing"));
    spec.destinations.push("calm".into());
    let mut reader = Reader::new(&binder, &spec).await;
    publish(&binder, "busy", &numbered(0..100)).await;
    publish(&binder, "calm", &[text("calm")]).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.extend(texts(&reader.event(1).await.1));
    }
    assert!(seen.contains(&"calm".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn a_message_arrives_as_it_was() {
    let binder = MemoryBinder::new();
    let sent = keyed("k", "x")
        .header("h", "v")
        .id("7")
        .content_type("text/plain");
    publish(
        &binder,
        "orders",
        &[sent.clone(), Message::tombstone().key("k")],
    )
    .await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    let got = &records[0].message;
    assert_eq!(got.as_key(), sent.as_key());
    assert_eq!(got.as_headers().text("h"), Some("v"));
    assert_eq!(
        (got.as_id(), got.as_content_type()),
        (sent.as_id(), sent.as_content_type())
    );
    reader.ack(&records).await;
    assert!(reader.next(1).await[0].message.as_payload().is_none());
}

#[tokio::test]
async fn a_producer_follows_the_destination_of_each_message() {
    let binder = MemoryBinder::new();
    publish(
        &binder,
        "orders",
        &[text("a"), text("b").destination("other"), text("c")],
    )
    .await;
    assert_eq!(kept(&binder, "orders").await, ["a", "c"]);
    assert_eq!(kept(&binder, "other").await, ["b"]);
}

#[tokio::test]
async fn receipts_say_where_messages_are() {
    let binder = MemoryBinder::new();
    let results = producer(&binder, "orders")
        .await
        .publish(&numbered(0..2))
        .await;
    let receipts: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(receipts, [Receipt::at(0, 0), Receipt::at(0, 1)]);
    assert!(
        producer(&binder, "orders")
            .await
            .publish(&[])
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn closing_a_consumer_gives_back_what_it_has() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..2)).await;
    let mut first = Reader::of(&binder, "orders", "billing").await;
    let settler = first.consumer.settler();
    let records = first.next(2).await;
    first.consumer.close().await.unwrap();
    let late = settler
        .settle(&[settlement(&records[0], Action::Ack)])
        .await;
    assert!(all_lost(&late.unwrap()));
    let mut second = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(texts(&second.next(2).await), ["0", "1"]);
}

#[tokio::test]
async fn closing_the_binder_ends_everything_that_was_opened_through_it() {
    let binder = MemoryBinder::new();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let producer = producer(&binder, "orders").await;
    let other = binder.reopened();
    publish(&other, "orders", &[text("a")]).await;
    let records = reader.next(1).await;
    binder.close().await.unwrap();
    let error = reader
        .consumer
        .receive(&mut Vec::new(), 1)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    let results = producer.publish(&[text("b")]).await;
    assert_eq!(results[0].as_ref().unwrap_err().kind(), ErrorKind::Closed);
    assert!(
        binder
            .consumer(&ConsumerSpec::new("orders", None))
            .await
            .is_err()
    );
    let mut after = Reader::of(&other, "orders", "billing").await;
    assert_eq!(texts(&after.next(1).await), texts(&records));
}

#[tokio::test(start_paused = true)]
async fn closing_the_binder_wakes_whoever_waits() {
    let binder = MemoryBinder::new();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let closer = binder.clone();
    let task = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        closer.close().await
    });
    let error = reader
        .consumer
        .receive(&mut Vec::new(), 1)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    task.await.unwrap().unwrap();
}
