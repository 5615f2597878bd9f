//! Publish, subscribe, settle, and all of it again after a restart.

use std::time::Duration;

use mq_broker::{Broker, DestinationOptions, Subscribe};
use mq_core::message::Message;

async fn publish(broker: &Broker, texts: &[&str]) {
    let messages: Vec<_> = texts
        .iter()
        .map(|text| Message::new(text.to_string()))
        .collect();
    let results = broker.publish("orders", &messages).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

fn texts(delivered: &[mq_broker::Delivered]) -> Vec<String> {
    let texts = delivered
        .iter()
        .map(|one| String::from_utf8_lossy(one.message().as_bytes()).into_owned());
    texts.collect()
}

#[tokio::test]
async fn what_is_not_settled_comes_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    publish(&broker, &["a", "b", "c", "d"]).await;
    let mut billing = broker
        .subscribe(&Subscribe::to("orders").group("billing"))
        .await
        .unwrap();
    let delivered = billing.receive(10).await.unwrap();
    assert_eq!(texts(&delivered), ["a", "b", "c", "d"]);
    billing.ack(&delivered[..1]).await.unwrap();
    delivered[2].ack().await.unwrap();
    delivered[3].release(Duration::ZERO, 2).await.unwrap();
    assert_eq!(broker.lag("orders", "billing").unwrap().messages, 2);
    // Dropping is what a crash would be: no snapshot is written.
    drop((billing, delivered, broker));
    for _ in 0..3 {
        let broker = Broker::open(folder.path()).await.unwrap();
        let mut billing = broker
            .subscribe(&Subscribe::to("orders").group("billing"))
            .await
            .unwrap();
        let delivered = billing.receive(10).await.unwrap();
        assert_eq!(texts(&delivered), ["b", "d"]);
        assert_eq!(delivered[1].attempts(), 2);
        drop((billing, delivered));
        broker.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_delayed_message_comes_when_it_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    broker
        .create("orders", &DestinationOptions::default())
        .await
        .unwrap();
    let mut billing = broker
        .subscribe(&Subscribe::to("orders").group("billing"))
        .await
        .unwrap();
    // Long enough for a busy machine to take the other message first.
    let due = std::time::SystemTime::now() + Duration::from_secs(2);
    let messages = [Message::new("later").deliver_at(due), Message::new("now")];
    let results = broker.publish("orders", &messages).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(texts(&billing.receive(10).await.unwrap()), ["now"]);
    let later = billing.receive(10).await.unwrap();
    assert_eq!(texts(&later), ["later"]);
    assert!(std::time::SystemTime::now() >= due);
}

#[tokio::test]
async fn outputs_and_acknowledgements_are_one_step() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    broker
        .create("orders", &DestinationOptions::default())
        .await
        .unwrap();
    publish(&broker, &["a"]).await;
    let mut billing = broker
        .subscribe(&Subscribe::to("orders").group("billing"))
        .await
        .unwrap();
    let delivered = billing.receive(1).await.unwrap();
    let outputs = [Message::new("bill").destination("bills")];
    billing.commit(&outputs, &delivered).await.unwrap();
    assert!(billing.commit(&outputs, &delivered).await.is_err());
    let mut bills = broker
        .subscribe(&Subscribe::to("bills").group("post"))
        .await
        .unwrap();
    assert_eq!(texts(&bills.receive(10).await.unwrap()), ["bill"]);
    assert_eq!(broker.lag("orders", "billing").unwrap().messages, 0);
}

#[tokio::test]
async fn a_publisher_that_repeats_itself_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let broker = Broker::open(folder.path()).await.unwrap();
        let publisher = broker.publisher("shop").await.unwrap();
        assert_eq!(publisher.last(), if round == 0 { 0 } else { 2 });
        let messages = [Message::new("a"), Message::new("b")];
        for result in publisher.publish("orders", 1, &messages).await {
            result.unwrap();
        }
        assert_eq!(broker.destinations()[0].messages, Some(2));
    }
}

#[tokio::test]
async fn a_second_broker_on_the_folder_is_refused_and_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    let error = Broker::open(folder.path()).await.unwrap_err();
    assert!(error.message().contains("has the folder open"), "{error}");
    broker.close().await.unwrap();
    Broker::open(folder.path()).await.unwrap();
}
