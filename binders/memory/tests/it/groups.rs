//! Named groups, anonymous groups, and groups that exist before anybody reads.

use mq_core::{
    binder::{Binder, ConsumerSpec, DestinationPlan},
    policy::{Provision, Start},
};
use mq_memory::MemoryBinder;

use crate::kit::{Reader, kept, lag, numbered, publish, text, texts};

async fn provide(binder: &MemoryBinder, destination: &str, group: &str) {
    let plan = [DestinationPlan::new(destination).group(group)];
    binder.provision(&plan, Provision::Create).await.unwrap();
}

#[tokio::test]
async fn every_group_gets_every_message() {
    let binder = MemoryBinder::new();
    let mut billing = Reader::of(&binder, "orders", "billing").await;
    let mut audit = Reader::of(&binder, "orders", "audit").await;
    publish(&binder, "orders", &numbered(0..3)).await;
    let records = billing.next(3).await;
    billing.ack(&records).await;
    assert_eq!(texts(&audit.next(3).await), ["0", "1", "2"]);
}

#[tokio::test]
async fn consumers_of_a_group_share_its_messages() {
    let binder = MemoryBinder::new();
    let mut first = Reader::of(&binder, "orders", "billing").await;
    let mut second = Reader::of(&binder, "orders", "billing").await;
    publish(&binder, "orders", &numbered(0..4)).await;
    let mut seen = texts(&first.event(2).await.1);
    seen.extend(texts(&second.event(4).await.1));
    assert_eq!(seen, ["0", "1", "2", "3"]);
    assert!(first.now().await.is_empty());
}

#[tokio::test]
async fn a_group_goes_on_where_it_was() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..2)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(2).await;
    reader.ack(&records[..1]).await;
    drop(reader);
    publish(&binder, "orders", &[text("2")]).await;
    let mut spec = ConsumerSpec::new("orders", Some("billing"));
    spec.start = Start::Latest;
    let mut again = Reader::new(&binder, &spec).await;
    assert_eq!(texts(&again.next(2).await), ["1", "2"]);
}

#[tokio::test]
async fn an_anonymous_group_sees_only_what_is_new() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("old")]).await;
    let spec = ConsumerSpec::new("orders", None);
    let mut first = Reader::new(&binder, &spec).await;
    let mut second = Reader::new(&binder, &spec).await;
    publish(&binder, "orders", &[text("new")]).await;
    assert_eq!(texts(&first.next(1).await), ["new"]);
    assert_eq!(texts(&second.next(1).await), ["new"]);
}

#[tokio::test]
async fn an_anonymous_group_leaves_nothing_behind() {
    let binder = MemoryBinder::builder().retain(0).build().unwrap();
    let mut named = Reader::of(&binder, "orders", "billing").await;
    let anonymous = Reader::new(&binder, &ConsumerSpec::new("orders", None)).await;
    publish(&binder, "orders", &numbered(0..3)).await;
    let records = named.next(3).await;
    named.ack(&records).await;
    assert_eq!(kept(&binder, "orders").await.len(), 3);
    assert_eq!(binder.admin().groups("orders").await.unwrap().len(), 1);
    drop(anonymous);
    assert!(kept(&binder, "orders").await.is_empty());
}

#[tokio::test]
async fn a_required_group_misses_nothing_before_its_first_consumer() {
    let binder = MemoryBinder::new();
    provide(&binder, "orders", "billing").await;
    publish(&binder, "orders", &numbered(0..2)).await;
    assert_eq!(lag(&binder, "orders", "billing").await, 2);
    let mut spec = ConsumerSpec::new("orders", Some("billing"));
    spec.start = Start::Latest;
    let mut reader = Reader::new(&binder, &spec).await;
    assert_eq!(texts(&reader.next(2).await), ["0", "1"]);
}

#[tokio::test]
async fn the_first_consumer_decides_whether_a_required_group_sees_what_was_there_before() {
    for (start, expected) in [
        (Start::Earliest, vec!["old", "new"]),
        (Start::Latest, vec!["new"]),
    ] {
        let binder = MemoryBinder::new();
        publish(&binder, "orders", &[text("old")]).await;
        provide(&binder, "orders", "billing").await;
        publish(&binder, "orders", &[text("new")]).await;
        let mut spec = ConsumerSpec::new("orders", Some("billing"));
        spec.start = start;
        let mut reader = Reader::new(&binder, &spec).await;
        assert_eq!(texts(&reader.now().await), expected, "{start}");
    }
}

#[tokio::test]
async fn groups_outlive_the_instance_that_made_them() {
    let binder = MemoryBinder::new();
    drop(Reader::of(&binder, "orders", "billing").await);
    binder.close().await.unwrap();
    let after = binder.reopened();
    publish(&after, "orders", &[text("a")]).await;
    assert_eq!(lag(&after, "orders", "billing").await, 1);
}
