//! Who comes later under the same name ends what the earlier one has begun.

use mq_core::{
    binder::{Action, ConsumerSpec, Settlement},
    error::ErrorKind,
    message::Message,
};

use crate::server::{Reader, broker, connect, publish, settings, text, topic};

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_fenced_by_the_next_owner_of_its_name() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let (orders, invoices) = (
        topic(&binder, "orders", 2).await,
        topic(&binder, "invoices", 1).await,
    );
    publish(
        &binder,
        &orders,
        &[
            Message::new("0").partition(0),
            Message::new("1").partition(1),
        ],
    )
    .await;
    let mut named = settings(&address);
    named.instance = Some("one".to_owned());
    let (first, second) = (connect(named.clone()).await, connect(named).await);
    let spec = ConsumerSpec::new(orders.as_str(), Some("billing"));
    let mut zombie = Reader::open(&first, &spec).await;
    let record = zombie.take(1).await.remove(0);
    let mut step = zombie.consumer.transaction().await.unwrap();
    let output = Message::new("from the first").destination(invoices.as_str());
    step.publish(&[output]).await.unwrap();

    // The next process of this name: static membership gives it the partitions, the transactional id is its own now.
    let mut owner = Reader::open(&second, &spec).await;
    let mut own_step = owner.consumer.transaction().await.unwrap();
    let settlement = Settlement {
        lane: record.lane,
        position: record.position + 1,
        epoch: record.epoch,
        action: Action::Commit { saved: None },
    };
    drop(step.settle(&[settlement]).await);
    let error = step.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lost, "{error:?}");

    let output = Message::new("from the second").destination(invoices.as_str());
    own_step.publish(&[output]).await.unwrap();
    own_step.commit().await.unwrap();
    let mut reader = Reader::open(
        &binder,
        &ConsumerSpec::new(invoices.as_str(), Some("printing")),
    )
    .await;
    assert_eq!(text(&reader.take(1).await[0]), "from the second");
    let again = owner.take(2).await;
    assert_eq!(again.len(), 2, "what the first had is delivered again");
}
