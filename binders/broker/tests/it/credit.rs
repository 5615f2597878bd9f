//! Credit in bytes.

use std::time::Duration;

use mq_broker::{Broker, GroupMode, Subscribe, Subscription};
use mq_core::message::Message;

const MODES: [GroupMode; 4] = [
    GroupMode::Key,
    GroupMode::Queue,
    GroupMode::Exclusive,
    GroupMode::Log,
];

async fn start(mode: GroupMode, bytes: u64) -> (tempfile::TempDir, Broker, Subscription) {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    let wanted = Subscribe::to("orders").group("billing").mode(mode);
    let wanted = wanted.window_bytes(bytes);
    let billing = broker.subscribe(&wanted).await.unwrap();
    (folder, broker, billing)
}

async fn publish(broker: &Broker, sizes: &[usize]) {
    let messages: Vec<_> = sizes
        .iter()
        .map(|size| Message::new(vec![7; *size]))
        .collect();
    for stored in broker.publish("orders", &messages).await {
        stored.unwrap();
    }
}

async fn nothing(subscription: &mut Subscription) -> bool {
    let wait = Duration::from_millis(5);
    tokio::time::timeout(wait, subscription.receive(9))
        .await
        .is_err()
}

#[tokio::test]
async fn a_consumer_gets_no_more_bytes_than_it_has_granted_until_it_settles() {
    for mode in MODES {
        let (_folder, broker, mut billing) = start(mode, 3_500).await;
        publish(&broker, &[1_000; 7]).await;
        let first = billing.receive(100).await.unwrap();
        assert_eq!(first.len(), 3, "{mode}: each is about 1,080 bytes");
        assert!(nothing(&mut billing).await, "{mode}");
        first[0].ack().await.unwrap();
        let more = billing.receive(100).await.unwrap();
        assert_eq!(more.len(), 1, "{mode}");
        billing.ack(&first[1..]).await.unwrap();
        assert_eq!(billing.receive(100).await.unwrap().len(), 2, "{mode}");
    }
}

#[tokio::test]
async fn a_message_that_is_larger_than_the_credit_comes_alone() {
    for mode in MODES {
        let (_folder, broker, mut billing) = start(mode, 500).await;
        publish(&broker, &[10, 9_000, 10, 10]).await;
        for count in [1, 1, 2] {
            let got = billing.receive(100).await.unwrap();
            assert_eq!(got.len(), count, "{mode}");
            assert!(count == 2 || nothing(&mut billing).await, "{mode}");
            billing.ack(&got).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_given_back_or_moved_gives_its_credit_back() {
    let (_folder, broker, mut billing) = start(GroupMode::Key, 1_200).await;
    publish(&broker, &[1_000, 1_000]).await;
    for attempt in 0..3 {
        let got = billing.receive(9).await.unwrap();
        assert_eq!((got.len(), got[0].attempts()), (1, attempt));
        got[0].release(Duration::ZERO, attempt + 1).await.unwrap();
    }
    billing.receive(9).await.unwrap()[0]
        .dead_letter("no good")
        .await
        .unwrap();
    // One that was removed while it was out counts until it is settled.
    let last = billing.receive(9).await.unwrap();
    broker.purge("orders").await.unwrap();
    publish(&broker, &[1_000]).await;
    assert!(nothing(&mut billing).await);
    last[0].ack().await.unwrap();
    assert_eq!(billing.receive(9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_does_not_fit_for_one_member_is_for_another_one() {
    let (_folder, broker, mut small) = start(GroupMode::Key, 500).await;
    publish(&broker, &[10]).await;
    assert_eq!(small.receive(9).await.unwrap().len(), 1);
    let wanted = Subscribe::to("orders").group("billing");
    let mut large = broker.subscribe(&wanted).await.unwrap();
    let big = Message::new(vec![7; 9_000]).key("key");
    assert!(broker.publish("orders", &[big.clone(), big]).await[1].is_ok());
    assert!(nothing(&mut small).await);
    let got = large.receive(9).await.unwrap();
    assert_eq!((got.len(), got[0].deliveries()), (1, 1), "one of a key");
    assert!(nothing(&mut small).await);
    got[0].ack().await.unwrap();
    assert_eq!(large.receive(9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_lease_that_ends_gives_its_credit_back() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    let wanted = Subscribe::to("orders").group("billing").window_bytes(1_200);
    let wanted = wanted.lease(Duration::from_millis(20));
    let mut billing = broker.subscribe(&wanted).await.unwrap();
    publish(&broker, &[1_000]).await;
    for deliveries in 1..4 {
        let got = billing.receive(9).await.unwrap();
        assert_eq!(got[0].deliveries(), deliveries);
    }
}
