//! Backlogs that are longer than the memory: they are read from the journal's files.

use std::{collections::BTreeSet, path::Path};

use mq_broker::{Broker, BrokerOptions, Delivered, Subscribe, Subscription};
use mq_core::message::Message;

/// Hardly anything is kept in memory, and segments are small.
async fn open(path: &Path) -> Broker {
    let mut options = BrokerOptions::default();
    options.memory = 4 << 10;
    options.segment = 1 << 20;
    options.max_message = 256 << 10;
    Broker::open_with(path, options).await.unwrap()
}

/// A body that says its number, of a size that depends on it: most are small, some larger than what is read at a time.
fn body(number: u64) -> Vec<u8> {
    let len = match number % 500 {
        77 => 200_000,
        _ => 8 + number * 7 % 900,
    };
    let mut body = number.to_le_bytes().to_vec();
    body.resize(usize::try_from(len).unwrap(), number.to_le_bytes()[0]);
    body
}

fn number(delivered: &Delivered) -> u64 {
    let bytes = delivered.message().as_bytes();
    let number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!(bytes, body(number), "message {number} is another one");
    number
}

async fn publish(broker: &Broker, numbers: std::ops::Range<u64>) {
    let messages: Vec<_> = numbers.map(|number| Message::new(body(number))).collect();
    for some in messages.chunks(100) {
        let results = broker.publish("orders", some).await;
        assert!(results.iter().all(Result::is_ok));
    }
}

async fn join(broker: &Broker) -> Subscription {
    let wanted = Subscribe::to("orders").group("billing").window(100_000);
    broker.subscribe(&wanted).await.unwrap()
}

#[tokio::test]
async fn a_backlog_is_delivered_in_order_in_batches_of_any_size() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path()).await;
    let mut billing = join(&broker).await;
    publish(&broker, 0..5_000).await;
    let mut next = 0;
    for max in [1, 3, 700, 50, 2_000].into_iter().cycle() {
        let delivered = billing.receive(max).await.unwrap();
        assert!(delivered.len() <= max);
        for one in &delivered {
            assert_eq!(number(one), next);
            next += 1;
        }
        billing.ack(&delivered).await.unwrap();
        if next == 5_000 {
            break;
        }
    }
    // Who is up to date gets what comes then.
    publish(&broker, 5_000..5_001).await;
    assert_eq!(number(&billing.receive(9).await.unwrap()[0]), 5_000);
}

#[tokio::test]
async fn a_reader_that_is_broken_off_again_and_again_gets_every_message_once() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path()).await;
    let mut billing = join(&broker).await;
    publish(&broker, 0..3_000).await;
    let mut next = 0;
    while next < 3_000 {
        let delivered = tokio::select! {
            biased;
            delivered = billing.receive(40) => delivered.unwrap(),
            () = tokio::task::yield_now() => continue,
        };
        for one in &delivered {
            assert_eq!(number(one), next);
            next += 1;
        }
    }
}

#[tokio::test]
async fn messages_that_come_again_are_read_from_their_own_places() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path()).await;
    let mut billing = join(&broker).await;
    publish(&broker, 0..2_000).await;
    let mut first = Vec::new();
    while first.len() < 2_000 {
        first.append(&mut billing.receive(2_000).await.unwrap());
    }
    // Every third is settled, the last ones first; the others come again.
    let (settled, _): (Vec<_>, Vec<_>) = first
        .into_iter()
        .rev()
        .partition(|one| number(one).is_multiple_of(3));
    billing.ack(&settled).await.unwrap();
    drop(billing);
    let mut again = join(&broker).await;
    let mut seen = BTreeSet::new();
    while seen.len() < 1_333 {
        for one in again.receive(300).await.unwrap() {
            assert_eq!(one.deliveries(), 2);
            assert!(seen.insert(number(&one)));
        }
    }
    assert!(seen.iter().all(|number| number % 3 > 0));
}

#[tokio::test]
async fn a_backlog_outlives_a_restart_with_and_without_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path()).await;
    drop(join(&broker).await);
    publish(&broker, 0..4_000).await;
    drop(broker);
    for expected in [0, 1_000] {
        let broker = open(folder.path()).await;
        let mut billing = join(&broker).await;
        let mut next = expected;
        while next < expected + 1_000 {
            let max = usize::try_from(expected + 1_000 - next).unwrap();
            let delivered = billing.receive(max).await.unwrap();
            for one in &delivered {
                assert_eq!(number(one), next);
                next += 1;
            }
            billing.ack(&delivered).await.unwrap();
        }
        drop(billing);
        broker.close().await.unwrap();
    }
}
