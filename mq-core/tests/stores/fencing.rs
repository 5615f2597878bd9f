//! Relays that die or are cut off.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use mq_core::{
    binder::{Producer, Receipt},
    error::{ErrorKind, Result},
    message::Message,
    outbox::{MemoryOutbox, OutboxStore, Relay, RelayId, RelayOptions},
};

use crate::{
    broker::{Broker, OUTPUT, Running, append, eventually, id, ids, message, relay, rows},
    faulty::Faulty,
};

const LEASE: Duration = Duration::from_secs(15);

#[tokio::test(start_paused = true)]
async fn a_crash_between_publishing_and_marking_repeats_with_the_same_ids() {
    let (inner, broker) = (MemoryOutbox::default(), Broker::new());
    let store = Faulty::new(&inner);
    store.loses_marks.store(true, Ordering::SeqCst);
    append(&inner, &["A", "B"], 0..1).await;
    let first = Running::start(relay(store, &broker, RelayOptions::default()));
    eventually("both are published", || broker.count() == 2).await;
    first.kill().await;
    assert_eq!(rows(&inner).await, 2);

    append(&inner, &["A", "B"], 1..3).await;
    let second = Running::start(relay(
        Arc::new(inner.clone()),
        &broker,
        RelayOptions::default(),
    ));
    eventually("all are published", || broker.effects().len() == 6).await;
    second.stop().await.expect("stopped");
    assert_eq!(broker.count(), 8, "two were repeated");
    for key in ["A", "B"] {
        assert_eq!(broker.effects_of(key), ids(key, 0..3));
    }
}

/// Before its first message is out, a relay is cut off from the store and the broker; another one goes on; then the broker
/// answers the first one.
#[tokio::test(start_paused = true)]
async fn a_relay_that_was_cut_off_marks_nothing_and_publishes_no_more() {
    let inner = MemoryOutbox::default();
    let (slow, fast) = (Broker::new(), Broker::new());
    let store = Faulty::new(&inner);
    slow.stuck.store(true, Ordering::SeqCst);
    append(&inner, &["A"], 0..3).await;
    let mut options = RelayOptions::default();
    options.timeout = Duration::from_secs(600);
    let stale = Running::start(relay(store.clone(), &slow, options));
    eventually("the first row is under way", || {
        slow.calls.load(Ordering::SeqCst) == 1
    })
    .await;
    store.cut.store(true, Ordering::SeqCst);

    let next = Running::start(relay(
        Arc::new(inner.clone()),
        &fast,
        RelayOptions::default(),
    ));
    eventually("the other one has taken over", || fast.count() == 3).await;
    append(&inner, &["A"], 3..4).await;
    eventually("and goes on", || fast.count() == 4).await;

    slow.stuck.store(false, Ordering::SeqCst);
    store.cut.store(false, Ordering::SeqCst);
    eventually("the first row is out twice", || slow.count() == 1).await;
    tokio::time::sleep(LEASE * 2).await;
    assert_eq!(slow.sent()[0].id, id("A", 0));
    assert_eq!(slow.count(), 1, "no row follows the one that was under way");
    assert_eq!(fast.effects_of("A"), ids("A", 0..4));
    assert!(stale.monitor.status().lost > 0);
    stale.stop().await.expect("stopped");
    next.stop().await.expect("stopped");
}

#[tokio::test(start_paused = true)]
async fn the_share_of_a_killed_relay_is_taken_when_its_leases_end() {
    let (inner, broker) = (MemoryOutbox::default(), Broker::new());
    let one = Running::start(relay(Faulty::new(&inner), &broker, RelayOptions::default()));
    let two = Running::start(relay(Faulty::new(&inner), &broker, RelayOptions::default()));
    eventually("they share", || {
        one.monitor.status().partitions == 8 && two.monitor.status().partitions == 8
    })
    .await;
    one.kill().await;
    let messages: Vec<_> = (0..64).map(|n| message(&format!("k{n}"), 0)).collect();
    inner.append(&messages).await.expect("appended");
    eventually("all are published", || broker.effects().len() == 64).await;
    assert_eq!(broker.count(), 64);
    assert_eq!(two.monitor.status().partitions, 16);
    two.stop().await.expect("stopped");
}

#[tokio::test(start_paused = true)]
async fn marks_with_an_old_fence_change_nothing() {
    let store = MemoryOutbox::default();
    append(&store, &["A"], 0..1).await;
    let (old, new) = (RelayId::unique("old"), RelayId::unique("new"));
    let stale = store.lease(&old, &[], LEASE).await.expect("leased").held;
    tokio::time::advance(LEASE).await;
    let held = store.lease(&new, &[], LEASE).await.expect("leased").held;
    assert_eq!((stale.len(), held.len()), (16, 16));
    let row = mq_core::outbox::RowId(1);
    let lost = store.published(&stale, &[row]).await.expect("answered");
    assert_eq!(lost, stale);
    assert_eq!(rows(&store).await, 1);
    store.hand_back(&stale).await.expect("nothing");
    assert_eq!(store.published(&held, &[row]).await.ok(), Some(vec![]));
    assert_eq!(rows(&store).await, 0);
}

struct Panics;

#[async_trait]
impl Producer for Panics {
    async fn publish(&self, _messages: &[Message]) -> Vec<Result<Receipt>> {
        panic!("a bug of a binder")
    }
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_panics_ends_the_relay_with_an_error_and_its_leases() {
    let store = MemoryOutbox::default();
    append(&store, &["A"], 0..1).await;
    let outputs: std::collections::HashMap<Arc<str>, Arc<dyn Producer>> =
        [(Arc::from(OUTPUT), Arc::new(Panics) as _)].into();
    let relay = Relay::new(
        "test",
        Arc::new(store.clone()),
        Arc::new(outputs),
        RelayOptions::default(),
    );
    let error = Running::start(relay).ended().await.expect_err("a bug");
    assert_eq!(error.kind(), ErrorKind::Bug);
    let id = RelayId::unique("next");
    let leases = store.lease(&id, &[], LEASE).await.expect("leased");
    assert_eq!(leases.held.len(), 16);
}
