//! Messages go in and come out.

use mq_core::binder::{Action, SettleError};
use mq_memory::MemoryBinder;

use crate::kit::{Reader, publish, text, texts};

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
    assert!(matches!(unsettled[..], [ref one] if matches!(one.error, SettleError::Lost)));
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
