//! Destinations that are full.

use std::time::Duration;

use mq_broker::{Broker, DestinationOptions, Full, Subscribe};
use mq_core::{binder::Receipt, error::Result, message::Message};

fn at_most(messages: u64, full: Full) -> DestinationOptions {
    let mut options = DestinationOptions::default();
    options.max_messages = messages;
    options.full = full;
    options
}

fn numbered(count: u32) -> Vec<Message> {
    let numbers = 0..count;
    numbers
        .map(|number| Message::new(number.to_string()))
        .collect()
}

/// Reads and acknowledges so many messages.
async fn drain(broker: &Broker, count: usize) {
    let wanted = Subscribe::to("orders").group("billing");
    let mut billing = broker.subscribe(&wanted).await.unwrap();
    let mut seen = 0;
    while seen < count {
        let delivered = billing.receive(3).await.unwrap();
        billing.ack(&delivered).await.unwrap();
        seen += delivered.len();
    }
}

fn is_stored(results: &[Result<Receipt>]) -> bool {
    results.iter().all(Result::is_ok)
}

async fn in_time<F: Future>(future: F) -> F::Output {
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, future).await.expect("progress")
}

#[tokio::test]
async fn a_call_larger_than_the_limit_goes_on_as_room_appears() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    let options = at_most(4, Full::Block);
    broker.create("orders", &options).await.unwrap();
    let messages = numbered(30);
    let publish = broker.publish("orders", &messages);
    let (results, ()) = in_time(async { tokio::join!(publish, drain(&broker, 30)) }).await;
    assert!(is_stored(&results));
}

#[tokio::test]
async fn calls_that_wait_for_room_do_not_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    let options = at_most(4, Full::Block);
    broker.create("orders", &options).await.unwrap();
    let to_both = |_| {
        let messages = numbered(6)
            .into_iter()
            .zip(["orders", "others"].into_iter().cycle());
        let messages = messages.map(|(message, to)| message.destination(to));
        messages.collect::<Vec<_>>()
    };
    let calls: Vec<_> = (0..10)
        .map(|number| {
            let (broker, step) = (broker.clone(), to_both(number));
            tokio::spawn(async move { broker.publish_all(&step).await })
        })
        .collect();
    in_time(drain(&broker, 30)).await;
    let mut stored = 0;
    for call in calls {
        stored += in_time(call).await.unwrap().unwrap().len();
    }
    assert_eq!(stored, 60);
}

#[tokio::test]
async fn a_step_larger_than_the_limit_has_its_place_in_an_empty_destination() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    let options = at_most(4, Full::Reject);
    broker.create("orders", &options).await.unwrap();
    let step: Vec<_> = numbered(6)
        .into_iter()
        .map(|message| message.destination("orders"))
        .collect();
    assert_eq!(broker.publish_all(&step).await.unwrap().len(), 6);
    let error = broker.publish_all(&step).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
}

#[tokio::test]
async fn the_oldest_go_where_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    let options = at_most(4, Full::DropOldest);
    broker.create("orders", &options).await.unwrap();
    assert!(is_stored(&broker.publish("orders", &numbered(10)).await));
    let wanted = Subscribe::to("orders").group("billing");
    let mut billing = broker.subscribe(&wanted).await.unwrap();
    let delivered = billing.receive(10).await.unwrap();
    let positions: Vec<u64> = delivered
        .iter()
        .map(mq_broker::Delivered::position)
        .collect();
    assert_eq!(positions, [6, 7, 8, 9]);
}

#[tokio::test]
async fn a_step_that_is_given_up_while_it_waits_gives_its_messages_back() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    let options = at_most(1, Full::Block);
    broker.create("invoices", &options).await.unwrap();
    assert!(is_stored(&broker.publish("orders", &numbered(1)).await));
    assert!(is_stored(&broker.publish("invoices", &numbered(1)).await));
    let wanted = Subscribe::to("orders").group("billing");
    let mut billing = broker.subscribe(&wanted).await.unwrap();
    let delivered = billing.receive(1).await.unwrap();
    let invoice = [Message::new("invoice").destination("invoices")];
    let commit = billing.commit(&invoice, &delivered);
    // There is no room: it waits until it is dropped.
    let short = Duration::from_millis(20);
    assert!(tokio::time::timeout(short, commit).await.is_err());
    delivered[0].ack().await.unwrap();
    assert_eq!(broker.lag("orders", "billing").unwrap().messages, 0);
}
