//! Publishers that number their messages.

use mq_broker::{Broker, DestinationOptions, Full, Subscribe};
use mq_core::{
    error::{ErrorKind, ErrorStatus},
    message::Message,
};

#[tokio::test]
async fn publishers_that_come_at_the_same_time_have_their_own_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    let (a, b) = tokio::join!(broker.publisher("a"), broker.publisher("b"));
    for publisher in [a.unwrap(), b.unwrap()] {
        let results = publisher.publish("orders", 1, &[Message::new("1")]).await;
        assert!(results[0].is_ok());
    }
    assert_eq!(broker.destinations()[0].messages, Some(2));
}

#[tokio::test]
async fn an_owner_that_was_fenced_is_told_how_to_go_on_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    let old = broker.publisher("shop").await.unwrap();
    let new = broker.publisher("shop").await.unwrap();
    let messages = ["a", "b"].map(Message::new);
    for late in old.publish("orders", 1, &messages).await {
        let error = late.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Lost);
        assert_eq!(error.status(), ErrorStatus::Fatal);
        assert!(error.message().contains("`Broker::publisher`"), "{error}");
        assert!(format!("{error:?}").contains("shop"), "{error:?}");
    }
    assert!(new.publish("orders", 1, &messages).await[1].is_ok());
    broker.close().await.unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    let newest = broker.publisher("shop").await.unwrap();
    assert_eq!((newest.epoch(), newest.last()), (3, 2));
    assert_eq!(broker.destinations()[0].messages, Some(2));
    assert_eq!(broker.publishers().len(), 1);
}

#[tokio::test]
async fn of_two_owners_that_publish_at_the_same_time_only_the_last_one_stores() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    let old = broker.publisher("shop").await.unwrap();
    let messages: Vec<_> = (0..500).map(|n| Message::new(n.to_string())).collect();
    let late = async {
        let mut stored = 0;
        for (number, message) in (1..).zip(&messages) {
            let one = std::slice::from_ref(message);
            stored += usize::from(old.publish("orders", number, one).await[0].is_ok());
        }
        stored
    };
    let (stored, new) = tokio::join!(late, broker.publisher("shop"));
    let first = new.unwrap().last() + 1;
    // What the old one has stored is where the new one goes on: nothing in between, nothing after it.
    assert_eq!(first, stored as u64 + 1);
    assert!(stored < messages.len());
}

#[tokio::test]
async fn what_was_refused_is_not_taken_for_a_repetition_later() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    let mut options = DestinationOptions::default();
    options.max_messages = 1;
    options.full = Full::Reject;
    broker.create("orders", &options).await.unwrap();
    let shop = broker.publisher("shop").await.unwrap();
    let messages = ["a", "b", "c"].map(Message::new);
    // There is room for "a" only; "c" has another destination, with room.
    let [a, b, c] = messages;
    let messages = [a, b, c.destination("others")];
    let results = shop.publish("orders", 1, &messages).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(shop.last(), 1);
    let wanted = Subscribe::to("orders").group("billing");
    let mut billing = broker.subscribe(&wanted).await.unwrap();
    billing.receive(1).await.unwrap()[0].ack().await.unwrap();
    let results = shop.publish("orders", 2, &messages[1..]).await;
    assert!(results.iter().all(Result::is_ok));
    let next = billing.receive(1).await.unwrap();
    assert_eq!(next[0].message().as_bytes(), b"b");
    assert_eq!(shop.last(), 3);
}
