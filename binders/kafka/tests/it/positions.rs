//! Positions that the cluster has no messages for any more, and partitions that come later.

use mq_core::{
    binder::{Binder, ConsumerSpec},
    message::Message,
    policy::Start,
};

use crate::server::{Reader, broker, connect, publish, settings, text, topic};

fn numbered(range: std::ops::Range<usize>) -> Vec<Message> {
    range
        .map(|number| Message::new(number.to_string()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_messages_were_removed_goes_on_with_those_that_are_left() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let orders = topic(&binder, "orders", 1).await;
    publish(&binder, &orders, &numbered(0..10)).await;
    let spec = ConsumerSpec::new(orders.as_str(), Some("billing"));
    let mut reader = Reader::open(&binder, &spec).await;
    let records = reader.take(3).await;
    assert!(reader.commit(&records[2]).await.is_empty());
    reader.consumer.close().await.unwrap();
    binder.admin().purge(&orders).await.unwrap();
    publish(&binder, &orders, &numbered(10..12)).await;
    let mut reader = Reader::open(&binder, &spec).await;
    let found: Vec<_> = reader.take(2).await.iter().map(text).collect();
    assert_eq!(found, ["10", "11"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_group_at_the_end_loses_nothing_to_a_crash_before_its_first_commit() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let orders = topic(&binder, "orders", 1).await;
    publish(&binder, &orders, &numbered(0..3)).await;
    let mut spec = ConsumerSpec::new(orders.as_str(), Some("billing"));
    spec.start = Start::Latest;
    let mut reader = Reader::open(&binder, &spec).await;
    publish(&binder, &orders, &numbered(3..5)).await;
    assert_eq!(text(&reader.take(1).await[0]), "3");
    // It is not told that anything is done with.
    drop(reader);
    let mut again = Reader::open(&binder, &spec).await;
    let found: Vec<_> = again.take(2).await.iter().map(text).collect();
    assert_eq!(found, ["3", "4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_and_an_empty_payload_are_told_apart() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let orders = topic(&binder, "orders", 1).await;
    let messages = [Message::tombstone().key("k"), Message::new("").key("k")];
    publish(&binder, &orders, &messages).await;
    let mut reader = Reader::open(
        &binder,
        &ConsumerSpec::new(orders.as_str(), Some("billing")),
    )
    .await;
    let records = reader.take(2).await;
    let payloads: Vec<_> = records
        .iter()
        .map(|record| record.message.as_payload().map(|bytes| bytes[..].len()))
        .collect();
    assert_eq!(payloads, [None, Some(0)]);
}

/// The partition that Java's producer chooses: murmur2 of the key, without its sign, by the count (KIP-480 leaves keyed messages as
/// they were).
#[tokio::test(flavor = "multi_thread")]
async fn keys_choose_the_partition_that_java_clients_choose() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let orders = topic(&binder, "orders", 7).await;
    // Computed by org.apache.kafka.common.utils.Utils: toPositive(murmur2(key)) % 7.
    let known = [
        ("21", -973_932_308_i32),
        ("foobar", -790_332_482),
        ("abc", 479_470_107),
    ];
    let producer = binder
        .producer(&mq_core::binder::ProducerSpec::new(orders.as_str()))
        .await
        .unwrap();
    for (key, hash) in known {
        let receipt = producer
            .publish(&[Message::new("x").key(key)])
            .await
            .remove(0)
            .unwrap();
        let expected = (hash & 0x7fff_ffff) % 7;
        assert_eq!(receipt.partition, u32::try_from(expected).ok(), "{key}");
    }
}
