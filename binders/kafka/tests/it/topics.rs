//! Topics that go away under their readers.

use mq_core::{
    binder::{Binder, ConsumerSpec, Event},
    message::Message,
};

use crate::server::{Reader, broker, connect, publish, settings, topic};

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_deleted_under_a_consumer_ends_its_subscription() {
    let Some(address) = broker().await else {
        return;
    };
    let mut own = settings(&address);
    own.native.insert(
        "topic.metadata.refresh.interval.ms".into(),
        mq_kafka::Scalar::Integer(1_000),
    );
    let binder = connect(own).await;
    let orders = topic(&binder, "orders", 1).await;
    publish(&binder, &orders, &[Message::new("x")]).await;
    let mut reader = Reader::open(
        &binder,
        &ConsumerSpec::new(orders.as_str(), Some("billing")),
    )
    .await;
    reader.take(1).await;
    binder.admin().delete(&orders).await.unwrap();
    loop {
        match reader.event(10).await.0 {
            Event::Ended(error) => {
                assert!(
                    error.to_string().contains("topic") || error.to_string().contains("Topic"),
                    "{error}"
                );
                return;
            }
            Event::Revoking { lanes, .. } => reader.consumer.released(&lanes).await.unwrap(),
            _ => {}
        }
    }
}
