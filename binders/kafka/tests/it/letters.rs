//! Dead letters are where their originals were, as far as there is such a place, and go back there.

use mq_core::{
    binder::{Binder, DestinationPlan, ProducerSpec},
    extract::Text,
    message::{Message, names},
    outcome::Failure,
    policy::Provision,
};
use mq_kafka::KafkaBinder;

use crate::server::{app, broker, browse, connect, name, publish, settings, topic, until};

/// One message for each partition, all with the same key.
fn one_each(partitions: u32) -> Vec<Message> {
    (0..partitions)
        .map(|partition| {
            Message::new(partition.to_string())
                .key("k")
                .partition(partition)
        })
        .collect()
}

/// Lets an application fail with every message of `orders`; returns where its dead letters are, by their text, once there are `count`.
async fn bury(
    binder: &KafkaBinder,
    servers: &str,
    [orders, shop]: [&str; 2],
    guarantee: &str,
    count: usize,
) -> Vec<(String, u32)> {
    let settings = format!(
        "[bindings.orders]\ndestination = '{orders}'\n[bindings.orders.consumer]\n{guarantee}"
    );
    let refuse = |_: Text| async { Err::<(), _>(Failure::dead_letter("no")) };
    let running = app(servers, shop, &settings)
        .sink("orders", refuse)
        .build()
        .unwrap()
        .start()
        .await
        .unwrap();
    let letters = format!("{orders}.{shop}.dlq");
    until("every message has died", async || {
        browse(binder, &letters).await.len() >= count
    })
    .await;
    running.stop().await.unwrap();
    let mut places: Vec<_> = browse(binder, &letters)
        .await
        .iter()
        .map(|one| {
            let text = String::from_utf8_lossy(one.message.as_bytes()).into_owned();
            (text, one.partition)
        })
        .collect();
    places.sort();
    places
}

fn pairs(partitions: &[u32]) -> Vec<(String, u32)> {
    let texts = (0..).map(|number: u32| number.to_string());
    texts.zip(partitions.iter().copied()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_in_the_partitions_of_their_originals() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    for guarantee in ["", "guarantee = 'exactly_once'"] {
        let (orders, shop) = (topic(&binder, "orders", 4).await, name("shop"));
        publish(&binder, &orders, &one_each(4)).await;
        // The application makes their topic, with as many partitions as its own has.
        let places = bury(&binder, &address, [&orders, &shop], guarantee, 4).await;
        assert_eq!(places, pairs(&[0, 1, 2, 3]), "{guarantee}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_without_such_a_partition_go_where_their_key_goes() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    for guarantee in ["", "guarantee = 'exactly_once'"] {
        let (orders, shop) = (topic(&binder, "orders", 4).await, name("shop"));
        let plan = DestinationPlan::new(format!("{orders}.{shop}.dlq")).partitions(2);
        binder.provision(&[plan], Provision::Create).await.unwrap();
        publish(&binder, &orders, &one_each(4)).await;
        let places = bury(&binder, &address, [&orders, &shop], guarantee, 4).await;
        let other = topic(&binder, "other", 2).await;
        let producer = binder.producer(&ProducerSpec::new(other)).await.unwrap();
        let sent = producer.publish(&[Message::new("x").key("k")]).await;
        let by_key = sent[0].as_ref().unwrap().partition.unwrap();
        assert_eq!(places, pairs(&[0, 1, by_key, by_key]), "{guarantee}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_is_sent_back_goes_to_its_old_partition() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let (orders, shop) = (topic(&binder, "orders", 4).await, name("shop"));
    publish(&binder, &orders, &one_each(4)).await;
    bury(&binder, &address, [&orders, &shop], "", 4).await;
    let found = browse(&binder, &format!("{orders}.{shop}.dlq")).await;
    let letters = found.into_iter().map(|one| {
        let origin: u32 = one
            .message
            .as_headers()
            .parse(names::ORIGINAL_PARTITION)
            .unwrap();
        (origin, one.message)
    });
    let (origins, letters): (Vec<_>, Vec<_>) = letters.unzip();
    let producer = binder
        .producer(&ProducerSpec::new(orders.as_str()))
        .await
        .unwrap();
    let sent = producer.publish(&letters).await;
    let partitions: Vec<_> = sent
        .iter()
        .map(|result| result.as_ref().unwrap().partition.unwrap())
        .collect();
    assert_eq!(partitions, origins);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_like_others_gets_as_many_partitions_as_the_largest() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let (small, large) = (
        topic(&binder, "small", 2).await,
        topic(&binder, "large", 5).await,
    );
    let [fresh, given, copy] = ["fresh", "given", "copy"].map(name);
    let plans = [
        // One of them is in no plan, one is made with this plan, and one is nowhere.
        DestinationPlan::new(fresh.as_str()).partitions(3),
        DestinationPlan::new(copy.as_str())
            .like(small.as_str())
            .like(fresh.as_str())
            .like(name("nowhere")),
        DestinationPlan::new(given.as_str())
            .partitions(1)
            .like(large.as_str()),
    ];
    binder.provision(&plans, Provision::Create).await.unwrap();
    let listed = binder.admin().destinations().await.unwrap();
    let count = |wanted: &str| {
        let found = listed.iter().find(|one| *one.name == *wanted);
        found.unwrap().partitions
    };
    assert_eq!([count(&fresh), count(&copy), count(&given)], [3, 3, 1]);
}
