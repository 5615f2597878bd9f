//! Three nodes, of which one after the other dies: leaders and coordinators move.

use std::collections::BTreeSet;

use mq_core::{
    binder::{ConsumerSpec, Event},
    message::Message,
};
use mq_testkit::harness::{Kind, ServerOptions};

use crate::server::{Reader, connect, publish, settings, text, topic};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_one_node_after_the_other_dies() {
    let Some(mut server) = ServerOptions::new(Kind::Kafka)
        .nodes(3)
        .available()
        .await
        .unwrap()
    else {
        return;
    };
    let mut own = settings(&server.addr());
    own.replication = Some(3);
    own.topic
        .insert("min.insync.replicas".into(), mq_kafka::Scalar::Integer(2));
    let binder = connect(own).await;
    let orders = topic(&binder, "orders", 6).await;
    let mut reader = Reader::open(
        &binder,
        &ConsumerSpec::new(orders.as_str(), Some("billing")),
    )
    .await;
    let mut found = BTreeSet::new();
    for round in 0..3_usize {
        let sent = round * 2_000..round * 2_000 + 2_000;
        let message =
            |number: usize| Message::new(number.to_string()).key((number % 50).to_string());
        let messages: Vec<_> = sent.clone().map(message).collect();
        server.node(round).unwrap().kill().await.unwrap();
        publish(&binder, &orders, &messages).await;
        while found.len() < sent.end {
            let (event, records) = reader.event(500).await;
            match event {
                Event::Revoking { lanes, .. } => reader.consumer.released(&lanes).await.unwrap(),
                Event::Ended(error) => {
                    assert!(error.is_temporary(), "{error:?}");
                    reader = Reader::open(
                        &binder,
                        &ConsumerSpec::new(orders.as_str(), Some("billing")),
                    )
                    .await;
                }
                _ => {}
            }
            if let Some(last) = records.last() {
                // A commit that meets the change of a coordinator is repeated by the next.
                drop(reader.commit(last).await);
            }
            found.extend(records.iter().map(text));
        }
        server.node(round).unwrap().start().await.unwrap();
    }
    assert_eq!(found.len(), 6_000);
}
