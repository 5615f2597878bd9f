//! The relay: order, failures, parking, stopping.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use mq_core::{
    error::ErrorKind,
    outbox::{MemoryOutbox, OutboxStore, Pipeline, Relay, RelayEnd, RelayOptions, Unpark},
};
use tokio::time::Instant;

use crate::{
    broker::{
        Broker, OUTPUT, Running, append, away, busy, eventually, ids, message, message_for,
        outputs, refused, relay, rows,
    },
    faulty::Faulty,
};

const KEYS: [&str; 5] = ["A", "B", "C", "D", "E"];

fn start(store: &MemoryOutbox, broker: &Arc<Broker>) -> Running {
    start_with(store, broker, RelayOptions::default())
}

fn start_with(store: &MemoryOutbox, broker: &Arc<Broker>, options: RelayOptions) -> Running {
    Running::start(relay(Arc::new(store.clone()), broker, options))
}

async fn all_gone(store: &MemoryOutbox, count: usize, broker: &Broker) {
    eventually("everything is published", || {
        broker.effects().len() >= count
    })
    .await;
    let end = Instant::now() + Duration::from_secs(600);
    while rows(store).await > 0 {
        assert!(Instant::now() < end, "rows stay");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_row_is_published_once_and_in_the_order_of_its_key() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    append(&store, &KEYS, 0..100).await;
    let running = start(&store, &broker);
    all_gone(&store, 500, &broker).await;
    assert_eq!(broker.count(), 500);
    for key in KEYS {
        assert_eq!(broker.effects_of(key), ids(key, 0..100));
    }
    assert_eq!(running.monitor.status().published, 500);
    assert_eq!(running.stop().await.ok(), Some(RelayEnd::Drained));
}

#[tokio::test(start_paused = true)]
async fn rows_of_many_keys_go_out_in_few_calls() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    let messages: Vec<_> = (0..400).map(|n| message(&format!("k{n}"), 0)).collect();
    store.append(&messages).await.expect("appended");
    let running = start(&store, &broker);
    all_gone(&store, 400, &broker).await;
    // One for each worker.
    assert_eq!(broker.calls.load(Ordering::SeqCst), 2);
    running.stop().await.expect("stopped");
}

#[tokio::test(start_paused = true)]
async fn temporary_failures_keep_the_order_of_their_key_and_stop_no_other() {
    for pipeline in [Pipeline::Confirmed, Pipeline::Through] {
        let (store, broker) = (MemoryOutbox::default(), Broker::new());
        for (id, times) in [("A-0000", 5), ("B-0010", 3), ("B-0011", 1), ("C-0049", 8)] {
            (0..times).for_each(|_| broker.fail(id, busy()));
        }
        append(&store, &KEYS, 0..50).await;
        let mut options = RelayOptions::default();
        options.pipeline = pipeline;
        let running = start_with(&store, &broker, options);
        eventually("D is through", || broker.effects_of("D").len() == 50).await;
        assert_eq!(broker.effects_of("A"), ids("A", 0..0));
        all_gone(&store, 250, &broker).await;
        for key in KEYS {
            assert_eq!(broker.effects_of(key), ids(key, 0..50), "{pipeline:?}");
        }
        let status = running.monitor.status();
        assert_eq!((status.failed, status.parked), (17, 0));
        running.stop().await.expect("stopped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_poison_row_parks_its_key_and_nothing_overtakes_it() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    (0..3).for_each(|_| broker.fail("A-0002", refused()));
    append(&store, &KEYS, 0..20).await;
    let running = start(&store, &broker);
    all_gone(&store, 82, &broker).await;
    append(&store, &["A", "B"], 20..22).await;
    all_gone(&store, 84, &broker).await;

    assert_eq!(broker.effects_of("A"), ids("A", 0..2));
    assert_eq!(broker.effects_of("B"), ids("B", 0..22));
    let stats = store.stats().await.expect("stats");
    assert_eq!((stats.parked_keys, stats.parked_rows), (1, 20));
    let parked = store.parked(None, 10).await.expect("parked").remove(0);
    assert_eq!((parked.attempts, parked.rows), (3, 20));
    assert_eq!(parked.message_key.as_deref(), Some(&b"A"[..]));
    assert!(parked.reason.contains("does not like"), "{}", parked.reason);

    let waiting = store.unpark(parked.key, Unpark::Retry).await;
    assert_eq!(waiting.ok(), Some(20));
    all_gone(&store, 104, &broker).await;
    assert_eq!(broker.effects_of("A"), ids("A", 0..22));
    running.stop().await.expect("stopped");
}

#[tokio::test(start_paused = true)]
async fn an_operator_can_drop_the_poison_row_alone() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    (0..99).for_each(|_| broker.fail("A-0000", refused()));
    append(&store, &["A"], 0..5).await;
    let running = start(&store, &broker);
    let status = || running.monitor.status();
    eventually("A is parked", || status().parked == 1).await;
    eventually("the mark is written", || !running_rows(&store)).await;
    let key = store.parked(None, 1).await.expect("parked")[0].key;
    assert_eq!(store.unpark(key, Unpark::DropFirst).await.ok(), Some(5));
    all_gone(&store, 4, &broker).await;
    assert_eq!(broker.effects_of("A"), ids("A", 1..5));
    assert_eq!(store.unpark(key, Unpark::Retry).await.ok(), Some(0));
    running.stop().await.expect("stopped");
}

/// Whether rows wait that are not parked. The store in memory answers at once.
fn running_rows(store: &MemoryOutbox) -> bool {
    let mut stats = Box::pin(store.stats());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match stats.as_mut().poll(&mut context) {
        std::task::Poll::Ready(stats) => stats.expect("stats").rows > 0,
        std::task::Poll::Pending => true,
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_stops_its_output_only_and_counts_against_no_row() {
    let inner = MemoryOutbox::default();
    let store = Faulty::new(&inner);
    let (away_broker, broker) = (Broker::new(), Broker::new());
    away_broker.away.store(true, Ordering::SeqCst);
    for number in 0..50 {
        let messages = [message_for("away", "A", number), message(OUTPUT, number)];
        inner.append(&messages).await.expect("appended");
    }
    let publisher = outputs(&[("away", &away_broker), (OUTPUT, &broker)]);
    let relay = Relay::new("test", store.clone(), publisher, RelayOptions::default());
    let running = Running::start(relay);
    eventually("the other output is through", || broker.count() == 50).await;
    let writes = store.writes.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(store.writes.load(Ordering::SeqCst), writes);
    let status = running.monitor.status();
    assert_eq!((status.failed, status.parked), (0, 0));
    assert_eq!(status.troubles[0].0, "away");

    away_broker.away.store(false, Ordering::SeqCst);
    all_gone(&inner, 50, &away_broker).await;
    assert_eq!(away_broker.effects_of("A"), ids("A", 0..50));
    assert_eq!(running.monitor.status().troubles, []);
    running.stop().await.expect("stopped");
}

#[tokio::test(start_paused = true)]
async fn a_row_that_commits_late_is_not_passed_over() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    let running = start(&store, &broker);
    let mut late = store.begin();
    late.append(&[message("late", 0)]).expect("appended");
    let mut undone = store.begin();
    undone.append(&[message("undone", 0)]).expect("appended");
    append(&store, &KEYS, 0..100).await;
    all_gone(&store, 500, &broker).await;
    drop(undone);
    late.commit();
    all_gone(&store, 501, &broker).await;
    assert_eq!(broker.effects_of("late"), ids("late", 0..1));
    assert_eq!(broker.effects_of("undone"), ids("undone", 0..0));
    running.stop().await.expect("stopped");
}

#[tokio::test(start_paused = true)]
async fn a_commit_in_the_same_process_is_published_without_a_poll() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    let mut options = RelayOptions::default();
    options.poll = Duration::from_secs(60);
    let running = start_with(&store, &broker, options);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let before = Instant::now();
    append(&store, &["A"], 0..1).await;
    eventually("A is published", || broker.count() == 1).await;
    assert!(before.elapsed() < Duration::from_millis(10), "polled");
    running.stop().await.expect("stopped");
}

#[tokio::test(start_paused = true)]
async fn stopping_publishes_what_is_there_and_hands_the_partitions_back() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    append(&store, &KEYS, 0..200).await;
    let running = start(&store, &broker);
    eventually("it has begun", || !broker.sent().is_empty()).await;
    assert_eq!(running.stop().await.ok(), Some(RelayEnd::Drained));
    assert_eq!(rows(&store).await, 0);
    let id = mq_core::outbox::RelayId::unique("next");
    let leases = store.lease(&id, &[], Duration::from_secs(15)).await;
    assert_eq!(leases.expect("leased").held.len(), 16);
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_although_rows_keep_coming() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    *broker.latency.lock().expect("latency") = Duration::from_millis(100);
    let feeding = tokio::spawn({
        let store = store.clone();
        async move {
            for number in 0.. {
                append(&store, &KEYS, number..number + 1).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    let running = start(&store, &broker);
    eventually("it has begun", || broker.count() > 10).await;
    assert_eq!(running.stop().await.ok(), Some(RelayEnd::Drained));
    feeding.abort();
    let before = broker.count();
    assert!(rows(&store).await > 0, "rows kept coming");
    *broker.latency.lock().expect("latency") = Duration::ZERO;
    let running = start(&store, &broker);
    all_gone(&store, before, &broker).await;
    running.stop().await.expect("stopped");
    assert_eq!(
        broker.effects().len(),
        broker.count(),
        "nothing was repeated"
    );
}

#[tokio::test(start_paused = true)]
async fn stopping_takes_no_longer_than_it_may() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    broker.stuck.store(true, Ordering::SeqCst);
    append(&store, &["A"], 0..3).await;
    let running = start(&store, &broker);
    eventually("it is stuck", || broker.calls.load(Ordering::SeqCst) == 1).await;
    assert_eq!(running.stop().await.ok(), Some(RelayEnd::TimedOut));
    assert_eq!(rows(&store).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_never_confirmed_is_published_again() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    broker.stuck.store(true, Ordering::SeqCst);
    append(&store, &["A"], 0..3).await;
    let running = start(&store, &broker);
    eventually("it has given up once", || {
        broker.calls.load(Ordering::SeqCst) == 2
    })
    .await;
    broker.stuck.store(false, Ordering::SeqCst);
    all_gone(&store, 3, &broker).await;
    assert_eq!(broker.effects_of("A"), ids("A", 0..3));
    assert_eq!(running.monitor.status().failed, 0);
    running.stop().await.expect("stopped");
}

#[tokio::test(start_paused = true)]
async fn attempts_and_waits_outlive_the_relay() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    (0..3).for_each(|_| broker.fail("A-0000", refused()));
    append(&store, &["A"], 0..2).await;
    let mut options = RelayOptions::default();
    options.initial = Duration::from_secs(10);
    for attempts in 1..=3 {
        let running = start_with(&store, &broker, options.clone());
        let monitor = running.monitor.clone();
        eventually("one attempt is made", || monitor.status().failed == 1).await;
        running.stop().await.expect("stopped");
        assert_eq!(monitor.status().failed, 1, "the next relay has waited");
        let parked = store.parked(None, 1).await.expect("parked").len();
        assert_eq!(parked, usize::from(attempts == 3));
    }
    assert!(broker.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_waited_for() {
    let inner = MemoryOutbox::default();
    let (store, broker) = (Faulty::new(&inner), Broker::new());
    let running = Running::start(relay(store.clone(), &broker, RelayOptions::default()));
    append(&inner, &KEYS, 0..10).await;
    all_gone(&inner, 50, &broker).await;
    store.away.store(true, Ordering::SeqCst);
    append(&inner, &KEYS, 10..20).await;
    let fetches = store.fetches.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(running.monitor.status().troubles[0].0, "store");
    let tries = store.fetches.load(Ordering::SeqCst) - fetches;
    assert!(tries < 100, "a busy loop: {tries} fetches in ten minutes");
    store.away.store(false, Ordering::SeqCst);
    all_gone(&inner, 100, &broker).await;
    assert_eq!(broker.count(), 100);
    running.stop().await.expect("stopped");
}

#[tokio::test(start_paused = true)]
async fn an_idle_relay_asks_seldom() {
    let inner = MemoryOutbox::default();
    let (store, broker) = (Faulty::new(&inner), Broker::new());
    let running = Running::start(relay(store.clone(), &broker, RelayOptions::default()));
    tokio::time::sleep(Duration::from_secs(100)).await;
    let fetches = store.fetches.load(Ordering::SeqCst);
    assert!(
        (200..240).contains(&fetches),
        "{fetches} fetches of two workers in 100 s"
    );
    running.stop().await.expect("stopped");
}

#[tokio::test(start_paused = true)]
async fn rows_for_an_unknown_output_wait_and_are_reported() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    let running = start(&store, &broker);
    let stranger = message_for("elsewhere", "A", 0);
    store
        .append(&[stranger, message("A", 0)])
        .await
        .expect("appended");
    let monitor = running.monitor.clone();
    eventually("it is reported", || !monitor.status().troubles.is_empty()).await;
    assert_eq!(running.monitor.status().troubles[0].0, "elsewhere");
    assert_eq!((broker.count(), rows(&store).await), (1, 1));
    running.stop().await.expect("stopped");
}

#[tokio::test(start_paused = true)]
async fn options_out_of_range_are_refused() {
    let mut options = RelayOptions::default();
    options.workers = 0;
    let running = start_with(&MemoryOutbox::default(), &Broker::new(), options);
    let error = running.ended().await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("use 1 to 64"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_broker_as_a_whole_is_not_an_attempt_of_a_row() {
    let (store, broker) = (MemoryOutbox::default(), Broker::new());
    (0..9).for_each(|_| broker.fail("A-0001", away()));
    append(&store, &["A"], 0..3).await;
    let running = start(&store, &broker);
    all_gone(&store, 3, &broker).await;
    assert_eq!(broker.effects_of("A"), ids("A", 0..3));
    assert_eq!(running.monitor.status().failed, 0);
    running.stop().await.expect("stopped");
}
