//! Consumers that get nothing although there is something, and those that rightly get nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use mq_core::{
    binder::{Consumer, ConsumerSpec, Event, LaneId},
    extract::Text,
    message::Message,
};
use mq_kafka::{KafkaBinder, KafkaSettings};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    fetches::Fetches,
    server::{Reader, app, broker, connect, door, name, publish, settings, text, topic, until},
};

/// The limit in these tests, and a time in which it would have been exceeded several times.
const SILENCE: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(4);

fn strict(servers: &str) -> KafkaSettings {
    let mut settings = settings(servers);
    settings.silence = SILENCE;
    settings
}

fn numbered(range: std::ops::Range<usize>) -> Vec<Message> {
    range
        .map(|number| Message::new(number.to_string()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_gets_nothing_is_made_anew_and_nothing_is_lost() {
    let Some(door) = door().await else {
        return;
    };
    let binder = connect(settings(&broker().await.unwrap())).await;
    let orders = topic(&binder, "orders", 2).await;
    publish(&binder, &orders, &numbered(0..10)).await;
    let fetches = Fetches::open(door.listen, door.upstream).await;
    let seen = Arc::new(Mutex::new(BTreeMap::<String, u32>::new()));
    let own = seen.clone();
    let note = move |Text(text): Text| {
        *own.lock().unwrap().entry(text).or_default() += 1;
        async {}
    };
    let bindings = format!("silence = '1s'\n[bindings.orders]\ndestination = '{orders}'\n");
    let running = app(&door.listen.to_string(), &name("shop"), &bindings)
        .sink("orders", note)
        .build()
        .unwrap()
        .start()
        .await
        .unwrap();
    let orders_binding = running.handle().binding("orders").unwrap().clone();
    until("ten are handled and settled", async || {
        seen.lock().unwrap().len() == 10 && orders_binding.unsettled() == 0
    })
    .await;
    fetches.hush();
    publish(&binder, &orders, &numbered(10..20)).await;
    until("the others are handled", async || {
        seen.lock().unwrap().len() == 20
    })
    .await;
    assert!(fetches.swallowed() > 0);
    assert_eq!(orders_binding.metrics().snapshot().reconnects, 1);
    running.stop().await.unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
}

/// Nothing but silence for a long time.
async fn stays_silent(consumer: &mut dyn Consumer) {
    let begin = Instant::now();
    let mut records = Vec::new();
    while let Some(left) = LONG.checked_sub(begin.elapsed()) {
        match timeout(left, consumer.receive(&mut records, 10)).await {
            Err(_) => break,
            Ok(event) => assert!(!matches!(event, Ok(Event::Ended(_)) | Err(_)), "{event:?}"),
        }
    }
    assert!(records.is_empty(), "{records:?}");
}

/// As a group that no other test disturbs.
fn spec(topic: &str) -> ConsumerSpec {
    ConsumerSpec::new(topic, Some(&format!("{topic}-billing")))
}

async fn assigned(binder: &KafkaBinder, topic: &str) -> Reader {
    let mut reader = Reader::open(binder, &spec(topic)).await;
    while reader.lanes.is_empty() {
        reader.event(1).await;
    }
    reader
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_topic_is_no_stall_even_if_it_ends_with_marks_of_transactions() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(strict(&address)).await;
    let (orders, inputs) = (
        topic(&binder, "orders", 1).await,
        topic(&binder, "inputs", 1).await,
    );
    let mut writer = assigned(&binder, &inputs).await;
    let mut step = writer.consumer.transaction().await.unwrap();
    let message = |text: &str| Message::new(text.to_owned()).destination(orders.as_str());
    step.publish(&[message("stays")]).await.unwrap();
    step.commit().await.unwrap();
    step.publish(&[message("goes")]).await.unwrap();
    step.abort().await.unwrap();
    let mut reader = assigned(&binder, &orders).await;
    let record = reader.take(1).await.remove(0);
    assert!(reader.commit(&record).await.is_empty());
    stays_silent(&mut *reader.consumer).await;
    // It is still alive.
    publish(&binder, &orders, &numbered(0..1)).await;
    assert_eq!(reader.take(1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_whose_lanes_rest_is_no_stall() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(strict(&address)).await;
    let orders = topic(&binder, "orders", 1).await;
    let mut reader = assigned(&binder, &orders).await;
    let lanes: Vec<LaneId> = reader.lanes.iter().map(|lane| lane.id).collect();
    reader.consumer.pause(&lanes).await.unwrap();
    publish(&binder, &orders, &numbered(0..10)).await;
    stays_silent(&mut *reader.consumer).await;
    reader.consumer.resume(&lanes).await.unwrap();
    assert_eq!(reader.take(10).await.len(), 10);
    // A lane that was moved to the end has nothing to get, whatever lies before.
    reader.consumer.seek(lanes[0], 10).await.unwrap();
    stays_silent(&mut *reader.consumer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_waits_for_a_slow_application_is_no_stall() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(strict(&address)).await;
    let orders = topic(&binder, "orders", 1).await;
    publish(&binder, &orders, &numbered(0..40_000)).await;
    let mut reader = assigned(&binder, &orders).await;
    let mut next = 0;
    while next < 40_000 {
        for record in reader.take(1).await {
            assert_eq!(record.position, next);
            next += 1;
        }
        // What was fetched ahead fills the queue several times over.
        if next % 19_000 == 1 {
            sleep(2 * SILENCE).await;
        }
    }
}

/// Librdkafka keeps a partition paused that is taken away and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_went_away_while_it_rested_is_read_when_it_comes_back() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let orders = topic(&binder, "orders", 2).await;
    let mut first = assigned(&binder, &orders).await;
    while first.lanes.len() < 2 {
        first.event(1).await;
    }
    let lanes: Vec<LaneId> = first.lanes.iter().map(|lane| lane.id).collect();
    first.consumer.pause(&lanes).await.unwrap();
    let (second, _) = first.share(&binder, &spec(&orders)).await;
    let partition = second.lanes[0].lane.partition;
    second.consumer.close().await.unwrap();
    while first.lanes.len() < 2 {
        first.event(1).await;
    }
    publish(
        &binder,
        &orders,
        &[Message::new("back").partition(partition)],
    )
    .await;
    assert_eq!(text(&first.take(1).await[0]), "back");
}
