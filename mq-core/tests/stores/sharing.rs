//! Two and more relays on one outbox.

use std::{sync::Arc, time::Duration};

use mq_core::outbox::{MemoryOutbox, OutboxStore, RelayId, RelayOptions};

use crate::{
    broker::{Broker, Running, append, eventually, ids, relay, rows},
    faulty::Faulty,
};

const LEASE: Duration = Duration::from_secs(15);

const ROWS: usize = 150;

fn names() -> Vec<String> {
    (0..16).map(|number| format!("k{number}")).collect()
}

fn start(store: &MemoryOutbox, broker: &Arc<Broker>) -> Running {
    Running::start(relay(Faulty::new(store), broker, RelayOptions::default()))
}

/// Appends a row of each key every 200 ms, 30 s long.
async fn feed(store: MemoryOutbox) {
    let names = names();
    let keys: Vec<_> = names.iter().map(String::as_str).collect();
    for number in 0..ROWS {
        append(&store, &keys, number..number + 1).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Relays come and go in order while rows are appended.
#[tokio::test(start_paused = true)]
async fn relays_that_come_and_go_neither_double_nor_reorder() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    *broker.latency.lock().expect("latency") = Duration::from_millis(120);
    let feeding = tokio::spawn(feed(store.clone()));
    let first = start(&store, &broker);
    eventually("it has begun", || broker.count() > 100).await;
    let second = start(&store, &broker);
    let (one, two) = (first.monitor.clone(), second.monitor.clone());
    let share = || (one.status().partitions, two.status().partitions) == (8, 8);
    eventually("they share", share).await;
    let third = start(&store, &broker);
    let three = third.monitor.clone();
    eventually("three share", || three.status().partitions >= 4).await;
    first.stop().await.expect("stopped");
    assert!(!feeding.is_finished(), "they have shared under load");
    feeding.await.expect("fed");
    eventually("all are published", || {
        broker.count() >= names().len() * ROWS
    })
    .await;
    second.stop().await.expect("stopped");
    third.stop().await.expect("stopped");

    assert_eq!(
        broker.count(),
        names().len() * ROWS,
        "something was doubled"
    );
    for key in names() {
        assert_eq!(broker.effects_of(&key), ids(&key, 0..ROWS));
    }
    assert_eq!(rows(&store).await, 0);
}

#[tokio::test(start_paused = true)]
async fn leases_are_shared_fairly_and_taken_anew_when_an_answer_was_lost() {
    let store = MemoryOutbox::default();
    let (one, two) = (RelayId::unique("one"), RelayId::unique("two"));
    let all = store.lease(&one, &[], LEASE).await.expect("leased");
    assert_eq!((all.held.len(), all.share), (16, 16));
    let none = store.lease(&two, &[], LEASE).await.expect("leased");
    assert_eq!((none.held.len(), none.share), (0, 8));
    store.hand_back(&all.held[..8]).await.expect("handed back");
    let half = store.lease(&two, &[], LEASE).await.expect("leased");
    assert_eq!(half.held.len(), 8);

    let again = store.lease(&two, &[], LEASE).await.expect("leased");
    assert_eq!(again.held.len(), 8);
    let newer = |(new, old): (
        &mq_core::outbox::PartitionLease,
        &mq_core::outbox::PartitionLease,
    )| { new.partition == old.partition && new.fence > old.fence };
    assert!(again.held.iter().zip(&half.held).all(newer));
    let kept = store.lease(&two, &again.held, LEASE).await.expect("leased");
    assert_eq!(kept.held, again.held);
    store.leave(&one).await.expect("left");
    let rest = store.lease(&two, &kept.held, LEASE).await.expect("leased");
    assert_eq!((rest.held.len(), rest.share), (16, 16));
}
