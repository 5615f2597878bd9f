//! Priorities, and messages that expire.

use mq_core::{binder::Capability, error::ErrorKind};
use mq_memory::MemoryBinder;

use crate::kit::{Reader, epoch, numbered, producer, publish, release, text, texts};

#[tokio::test]
async fn high_priorities_come_first_and_equal_ones_in_order() {
    let binder = MemoryBinder::new();
    let ranked = [("a", 0), ("b", 9), ("c", 5), ("d", 9), ("e", 5)];
    let messages: Vec<_> = ranked
        .iter()
        .map(|(name, rank)| text(*name).priority(*rank))
        .collect();
    publish(&binder, "orders", &messages).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(texts(&reader.now().await), ["b", "d", "c", "e", "a"]);
}

#[tokio::test]
async fn a_late_priority_overtakes_the_backlog() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..4)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(texts(&reader.next(1).await), ["0"]);
    publish(&binder, "orders", &[text("fast").priority(1), text("4")]).await;
    assert_eq!(texts(&reader.now().await), ["fast", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn a_redelivery_keeps_its_priority() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("fast").priority(9), text("slow")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(2).await;
    for record in records.iter().rev() {
        assert!(reader.settle(record, release(1)).await.is_empty());
    }
    assert_eq!(texts(&reader.now().await), ["fast", "slow"]);
}

#[tokio::test]
async fn a_priority_over_nine_is_refused() {
    let binder = MemoryBinder::new();
    let result = producer(&binder, "orders")
        .await
        .publish(&[text("a").priority(10)])
        .await;
    assert_eq!(result[0].as_ref().unwrap_err().kind(), ErrorKind::Rejected);
}

#[tokio::test]
async fn an_expired_message_is_handed_over_with_its_time() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a").expires_at(epoch(1))]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.now().await;
    assert_eq!(records[0].message.properties().expires_at, Some(epoch(1)));
}

#[tokio::test]
async fn wishes_that_are_switched_off_are_refused() {
    let off = [
        Capability::Priority,
        Capability::Expiry,
        Capability::DelayedDelivery,
    ];
    let binder = MemoryBinder::builder().without(&off).build().unwrap();
    let messages = [
        text("a").priority(1),
        text("b").expires_at(epoch(1)),
        text("c").deliver_at(epoch(1)),
        text("d"),
    ];
    let results = producer(&binder, "orders").await.publish(&messages).await;
    for result in &results[..3] {
        assert_eq!(result.as_ref().unwrap_err().kind(), ErrorKind::Unsupported);
    }
    assert!(results[3].is_ok());
}
