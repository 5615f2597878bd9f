//! Filters that the broker applies.

use mq_core::{
    binder::{Binder, ConsumerSpec},
    error::ErrorKind,
    message::Message,
};
use mq_memory::MemoryBinder;

use crate::kit::{Reader, kept, keyed, lag, publish, text, texts};

fn refund(message: Message) -> Message {
    message.header("type", "refund")
}

fn filtered(group: Option<&str>, filter: &str) -> ConsumerSpec {
    let mut spec = ConsumerSpec::new("orders", group);
    spec.filter = Some(filter.to_owned());
    spec
}

#[tokio::test]
async fn a_group_gets_what_its_filter_accepts_and_is_done_with_the_rest() {
    let binder = MemoryBinder::builder().retain(0).build().unwrap();
    let mut reader = Reader::new(&binder, &filtered(Some("refunds"), "type = refund")).await;
    publish(
        &binder,
        "orders",
        &[text("a"), refund(text("b")), text("c")],
    )
    .await;
    let records = reader.now().await;
    assert_eq!(texts(&records), ["b"]);
    assert_eq!(lag(&binder, "orders", "refunds").await, 1);
    reader.ack(&records).await;
    assert_eq!(lag(&binder, "orders", "refunds").await, 0);
    publish(&binder, "orders", &[]).await;
    assert!(kept(&binder, "orders").await.is_empty());
}

#[tokio::test]
async fn other_groups_are_not_filtered() {
    let binder = MemoryBinder::new();
    let mut refunds = Reader::new(&binder, &filtered(Some("refunds"), "type = refund")).await;
    let mut all = Reader::of(&binder, "orders", "all").await;
    publish(&binder, "orders", &[text("a"), refund(text("b"))]).await;
    assert_eq!(texts(&refunds.now().await), ["b"]);
    assert_eq!(texts(&all.now().await), ["a", "b"]);
}

#[tokio::test]
async fn an_anonymous_group_may_have_a_filter() {
    let binder = MemoryBinder::new();
    let mut reader = Reader::new(&binder, &filtered(None, "headers['type'] != 'refund'")).await;
    publish(&binder, "orders", &[text("a"), refund(text("b"))]).await;
    assert_eq!(texts(&reader.now().await), ["a"]);
}

#[tokio::test]
async fn messages_that_are_passed_over_hold_up_no_key() {
    let binder = MemoryBinder::new();
    let mut reader = Reader::new(&binder, &filtered(Some("refunds"), "type = refund")).await;
    publish(
        &binder,
        "orders",
        &[keyed("k", "a"), refund(keyed("k", "b"))],
    )
    .await;
    assert_eq!(texts(&reader.now().await), ["b"]);
}

#[tokio::test]
async fn a_filter_passes_over_a_large_backlog() {
    let binder = MemoryBinder::new();
    let mut messages: Vec<_> = (0..50_000)
        .map(|number: u32| text(number.to_string()))
        .collect();
    messages.push(refund(text("b")));
    publish(&binder, "orders", &messages).await;
    let mut reader = Reader::new(&binder, &filtered(Some("refunds"), "type = refund")).await;
    assert_eq!(texts(&reader.next(1).await), ["b"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_an_example() {
    let binder = MemoryBinder::new();
    let refused = binder
        .consumer(&filtered(Some("refunds"), "amount > 7"))
        .await;
    let error = refused.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("headers['type'] == 'refund'"));
}

#[tokio::test]
async fn the_consumers_of_a_group_have_one_filter() {
    let binder = MemoryBinder::new();
    let first = Reader::new(&binder, &filtered(Some("refunds"), "type = refund")).await;
    let refused = binder
        .consumer(&filtered(Some("refunds"), "type = order"))
        .await;
    assert_eq!(refused.err().unwrap().kind(), ErrorKind::Config);
    drop(Reader::new(&binder, &filtered(Some("refunds"), "type = refund")).await);
    drop(first);
    Reader::new(&binder, &filtered(Some("refunds"), "type = order")).await;
}
