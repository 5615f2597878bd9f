//! Where a new group begins.

use mq_core::{
    binder::{Binder, Capability, ConsumerSpec},
    error::ErrorKind,
    policy::Start,
};
use mq_memory::MemoryBinder;

use crate::kit::{Reader, epoch, numbered, publish, text, texts, virtual_binder};

async fn begin(binder: &MemoryBinder, start: Start) -> Reader {
    let mut spec = ConsumerSpec::new("orders", Some(&start.to_string()));
    spec.start = start;
    Reader::new(binder, &spec).await
}

#[tokio::test]
async fn earliest_is_the_earliest_that_is_kept() {
    let binder = MemoryBinder::builder().retain(2).build().unwrap();
    let mut other = Reader::of(&binder, "orders", "other").await;
    for message in numbered(0..5) {
        publish(&binder, "orders", &[message]).await;
        let records = other.next(1).await;
        other.ack(&records).await;
    }
    publish(&binder, "orders", &[text("5")]).await;
    let mut reader = begin(&binder, Start::Earliest).await;
    assert_eq!(texts(&reader.now().await), ["4", "5"]);
}

#[tokio::test]
async fn latest_is_what_comes_from_now_on() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("old")]).await;
    let mut reader = begin(&binder, Start::Latest).await;
    publish(&binder, "orders", &[text("new")]).await;
    assert_eq!(texts(&reader.now().await), ["new"]);
}

#[tokio::test]
async fn a_position_counts_from_the_first_message() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..5)).await;
    let mut reader = begin(&binder, Start::Position(3)).await;
    assert_eq!(texts(&reader.now().await), ["3", "4"]);
    let mut beyond = begin(&binder, Start::Position(u64::MAX)).await;
    assert!(beyond.now().await.is_empty());
    publish(&binder, "orders", &[text("5")]).await;
    assert_eq!(texts(&beyond.now().await), ["5"]);
}

#[tokio::test(start_paused = true)]
async fn a_time_is_compared_with_when_messages_were_stored() {
    let binder = virtual_binder();
    for number in 0..3 {
        publish(&binder, "orders", &[text(number.to_string())]).await;
        tokio::time::advance(std::time::Duration::from_secs(10)).await;
    }
    let mut reader = begin(&binder, Start::Time(epoch(1_000_010))).await;
    assert_eq!(texts(&reader.now().await), ["1", "2"]);
    let mut late = begin(&binder, Start::Time(epoch(1_000_021))).await;
    assert!(late.now().await.is_empty());
}

#[tokio::test]
async fn a_message_s_own_time_wins() {
    let binder = MemoryBinder::new();
    let messages = [
        text("old").timestamp(epoch(10)),
        text("new").timestamp(epoch(20)),
    ];
    publish(&binder, "orders", &messages).await;
    let mut reader = begin(&binder, Start::Time(epoch(15))).await;
    assert_eq!(texts(&reader.now().await), ["new"]);
}

#[tokio::test]
async fn a_place_needs_seek() {
    let binder = MemoryBinder::builder()
        .without(&[Capability::Seek])
        .build()
        .unwrap();
    for (start, allowed) in [
        (Start::Earliest, true),
        (Start::Latest, true),
        (Start::Position(1), false),
        (Start::Time(epoch(1)), false),
    ] {
        let mut spec = ConsumerSpec::new("orders", Some("billing"));
        spec.start = start;
        let kind = binder.consumer(&spec).await.map_err(|error| error.kind());
        assert_eq!(kind.is_ok(), allowed, "{start}");
        assert!(kind.is_ok() || matches!(kind, Err(ErrorKind::Unsupported)));
    }
}
