//! Groups that the broker coordinates (KIP-848).

use std::collections::BTreeSet;

use mq_core::{
    binder::{ConsumerSpec, Event},
    message::Message,
};
use mq_kafka::GroupProtocol;

use crate::server::{Reader, broker, connect, publish, settings, text, topic};

#[tokio::test(flavor = "multi_thread")]
async fn members_share_partitions_under_the_newer_protocol() {
    let Some(address) = broker().await else {
        return;
    };
    let mut own = settings(&address);
    own.group_protocol = GroupProtocol::Consumer;
    let binder = connect(own).await;
    let orders = topic(&binder, "orders", 4).await;
    let spec = ConsumerSpec::new(orders.as_str(), Some("billing"));
    let mut first = Reader::open(&binder, &spec).await;
    while first.lanes.len() < 4 {
        first.event(1).await;
    }
    let mut second = Reader::open(&binder, &spec).await;
    let mut is_shared = false;
    while !is_shared {
        tokio::select! {
            (event, _) = first.event(1) => if let Event::Revoking { lanes, .. } = event {
                first.consumer.released(&lanes).await.unwrap();
                first.lanes.retain(|lane| !lanes.contains(&lane.id));
            },
            _ = second.event(1) => is_shared = second.lanes.len() == 2,
        }
    }
    let message = |number: u32| Message::new(number.to_string()).partition(number % 4);
    publish(&binder, &orders, &(0..40).map(message).collect::<Vec<_>>()).await;
    let (one, other) = tokio::join!(first.take(20), second.take(20));
    assert!(first.commit(&one[19]).await.is_empty());
    let found: BTreeSet<_> = one.iter().chain(&other).map(text).collect();
    assert_eq!(found.len(), 40);
}
