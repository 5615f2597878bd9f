//! Leases.

use std::time::{Duration, Instant};

use mq_broker::{Broker, Subscribe};
use mq_core::message::Message;

#[tokio::test]
async fn what_is_not_settled_in_time_goes_to_another_member() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    broker.publish("orders", &[Message::new("a")]).await;
    let lease = Duration::from_millis(50);
    let wanted = Subscribe::to("orders").group("billing").lease(lease);
    let mut first = broker.subscribe(&wanted).await.unwrap();
    let mut second = broker.subscribe(&wanted).await.unwrap();
    let lost = first.receive(1).await.unwrap();
    let found = second.receive(1).await.unwrap();
    assert_eq!(found[0].deliveries(), 2);
    assert!(lost[0].ack().await.is_err());
    found[0].ack().await.unwrap();
}

#[tokio::test]
async fn a_message_that_comes_again_has_a_lease_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    broker.publish("orders", &[Message::new("a")]).await;
    let lease = Duration::from_millis(400);
    let wanted = Subscribe::to("orders").group("billing").lease(lease);
    let mut billing = broker.subscribe(&wanted).await.unwrap();
    let first = billing.receive(1).await.unwrap();
    // Half of the lease goes by before it is given back.
    first[0].release(lease / 2, 1).await.unwrap();
    let again = billing.receive(1).await.unwrap();
    let begin = Instant::now();
    let third = billing.receive(1).await.unwrap();
    assert!(
        begin.elapsed() >= lease - Duration::from_millis(50),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!((again[0].deliveries(), third[0].deliveries()), (2, 3));
}
