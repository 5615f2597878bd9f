//! The same service on weaker brokers: positions instead of single settlements, no delays, no memory of attempts; and on several
//! members of a group.

use std::time::Duration;

use mq::{
    RunningApp,
    binder::{Capability, RetryState},
    binding::{BindingState, Command},
    clock::Clock,
    idempotency::MemoryIdempotencyStore,
    memory::MemoryBuilder,
    prelude::*,
};
use tokio::time::{Instant, sleep};

use crate::kit::{Broker, Order, Seen, letter, metrics, order, start};

/// One call in place, then one after a minute and one after ten.
const DELAYED: &str =
    "[bindings.orders.consumer]\nretry = { attempts = 1, delayed = ['1m', '10m'] }\n";

/// A service that notes each call with its second, and fails for the order 13.
async fn shop(broker: &Broker, settings: &str) -> (RunningApp, Seen) {
    let seen = Seen::default();
    let begin = Instant::now();
    let listener = move |Json(order): Json<Order>,
                         Attempt(attempt): Attempt,
                         State(seen): State<Seen>| async move {
        seen.note(format!(
            "{}#{attempt} {}s",
            order.id,
            begin.elapsed().as_secs()
        ));
        sleep(Duration::from_millis(10)).await;
        match order.id {
            13 => Err(Failure::retry("an unlucky number")),
            _ => Ok(()),
        }
    };
    let app = broker
        .app(settings)
        .state(seen.clone())
        .sink("orders", listener);
    (start(app).await, seen)
}

/// The unlucky order goes its whole way, whatever the broker can.
async fn check_delays(broker: Broker, ordering: &str) {
    let (app, seen) = shop(&broker, &format!("{DELAYED}ordering = '{ordering}'")).await;
    broker.put("orders", vec![order(13), order(2)]).await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    let unlucky: Vec<_> = seen
        .all()
        .into_iter()
        .filter(|call| call.starts_with("13"))
        .collect();
    assert_eq!(unlucky, ["13#1 0s", "13#2 60s", "13#3 660s"]);
    assert_eq!(
        broker.letters("orders.shop.dlq").await,
        [letter("exhausted", "failure", "3")]
    );
}

#[tokio::test(start_paused = true)]
async fn delays_are_the_brokers_where_it_can() {
    check_delays(Broker::new(), "none").await;
}

#[tokio::test(start_paused = true)]
async fn delays_go_through_retry_destinations_where_the_broker_has_none() {
    check_delays(
        Broker::with(|b| b.without(&[Capability::DelayedRedelivery])),
        "none",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn delays_are_held_at_the_source_where_a_key_keeps_its_order() {
    check_delays(Broker::new(), "key").await;
    check_delays(
        Broker::with(|b| b.without(&[Capability::DelayedRedelivery])),
        "key",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn delays_hold_on_a_positional_broker_with_and_without_order() {
    for ordering in ["none", "key", "partition"] {
        check_delays(Broker::with(MemoryBuilder::positional), ordering).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_later_message_of_a_key_passes_one_that_waits() {
    for build in [|b| b, MemoryBuilder::positional] {
        let broker = Broker::with(build);
        let (app, seen) = shop(&broker, &format!("{DELAYED}ordering = 'key'")).await;
        broker
            .put(
                "orders",
                vec![order(13).key("k"), order(2).key("k"), order(3).key("other")],
            )
            .await;
        app.until_idle().await.expect("it comes to rest");
        assert_eq!(
            seen.all(),
            ["13#1 0s", "3#1 0s", "13#2 60s", "13#3 660s", "2#1 660s"]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_positional_broker_is_told_the_lowest_unsettled_position_and_the_rest_is_saved_beside_it()
{
    let broker = Broker::with(MemoryBuilder::positional);
    let (app, _) = shop(&broker, &format!("{DELAYED}ordering = 'key'")).await;
    broker
        .put("orders", vec![order(0), order(13), order(2), order(3)])
        .await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(
        broker.unsettled("orders").await,
        3,
        "the unlucky one holds the position back"
    );
    app.stop().await.expect("it stops");
    let (app, seen) = shop(&broker, &format!("{DELAYED}ordering = 'key'")).await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    assert_eq!(
        seen.all(),
        ["13#2 30s", "13#3 630s"],
        "finished work is not repeated"
    );
}

#[tokio::test(start_paused = true)]
async fn attempts_begin_again_after_a_restart_where_the_broker_records_none() {
    let forgetful = |b: MemoryBuilder| {
        b.without(&[Capability::DelayedRedelivery])
            .retry_state(RetryState::None)
    };
    let broker = Broker::with(forgetful);
    let (app, _) = shop(&broker, &format!("{DELAYED}ordering = 'key'")).await;
    broker.put("orders", vec![order(13)]).await;
    sleep(Duration::from_secs(30)).await;
    drop(app);
    tokio::task::yield_now().await;
    let (app, seen) = shop(&broker, &format!("{DELAYED}ordering = 'key'")).await;
    app.until_idle().await.expect("it comes to rest");
    assert_eq!(seen.all(), ["13#1 0s", "13#2 60s", "13#3 660s"]);
}

#[tokio::test(start_paused = true)]
async fn two_members_share_the_partitions_and_hand_them_over_without_loss() {
    let broker = Broker::with(|b| b.positional().partitions(8));
    let settings = "[bindings.orders.consumer]\nordering = 'key'";
    let (first, seen_by_first) = shop(&broker, settings).await;
    broker.put("orders", (100..300).map(order).collect()).await;
    let (second, seen_by_second) = shop(&broker, settings).await;
    sleep(Duration::from_secs(10)).await;
    broker.put("orders", (300..500).map(order).collect()).await;
    sleep(Duration::from_millis(15)).await;
    first.stop().await.expect("it stops");
    second.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    let mut calls = seen_by_first.all();
    assert!(!seen_by_second.all().is_empty());
    calls.extend(seen_by_second.all());
    assert_eq!(calls.len(), 400, "each once");
}

#[tokio::test(start_paused = true)]
async fn lanes_that_are_lost_are_read_again_by_whoever_gets_them() {
    let broker = Broker::with(|b| b.positional().partitions(2));
    let (app, seen) = shop(&broker, "").await;
    broker.put("orders", (100..150).map(order).collect()).await;
    sleep(Duration::from_millis(5)).await;
    broker.0.faults().lose_lanes("orders");
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    let mut numbers: Vec<_> = seen.all().iter().map(|call| call[..3].to_owned()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_receives_nothing_for_an_hour_keeps_its_place() {
    for build in [|b| b, MemoryBuilder::positional] {
        let broker = Broker::with(build);
        let (app, _) = shop(&broker, "").await;
        broker.put("orders", vec![order(1)]).await;
        let binding = app.handle().binding("orders").expect("it is there").clone();
        app.until_idle().await.expect("it comes to rest");
        binding.command(Command::Pause).await.expect("it listens");
        sleep(Duration::from_secs(3_600)).await;
        broker.put("orders", vec![order(2)]).await;
        binding.command(Command::Resume).await.expect("it listens");
        binding
            .wait_for(|state| *state == BindingState::Running)
            .await;
        app.until_idle().await.expect("it comes to rest");
        let metrics = metrics(&app, "orders");
        assert_eq!(
            (metrics.handled, metrics.reconnects, metrics.lost),
            (2, 0, 0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn outputs_and_settlements_are_one_step_where_the_guarantee_is_exactly_once() {
    let broker = Broker::new();
    let settings = "[bindings.orders.consumer]\nguarantee = 'exactly_once'";
    broker.put("orders", (0..50).map(order).collect()).await;
    broker.0.faults().withhold_confirm(2);
    let bill = |Json(order): Json<Order>| async move { Text(order.id.to_string()) };
    let app = start(broker.app(settings).processor("orders", "invoices", bill)).await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    let mut invoices: Vec<_> = broker
        .messages("invoices")
        .await
        .iter()
        .map(|m| m.as_bytes().to_vec())
        .collect();
    assert_eq!(invoices.len(), 50, "none twice");
    invoices.sort_unstable();
    invoices.dedup();
    assert_eq!(invoices.len(), 50, "none lost");
}

#[tokio::test(start_paused = true)]
async fn a_claim_becomes_permanent_after_the_step_that_settles_its_message() {
    let broker = Broker::new();
    let settings = "[bindings.orders.consumer]\nguarantee = 'exactly_once'\nidempotency = 'claims'";
    let bill = |Json(order): Json<Order>| async move { Text(order.id.to_string()) };
    let store = std::sync::Arc::new(MemoryIdempotencyStore::new(Clock::system()));
    let app = broker.app(settings).store("claims", store);
    let app = start(app.processor("orders", "invoices", bill)).await;
    for _ in 0..3 {
        broker.put("orders", vec![order(7).id("order-7")]).await;
        app.until_idle().await.expect("it comes to rest");
    }
    broker.assert_settled("orders").await;
    let metrics = metrics(&app, "orders");
    assert_eq!((metrics.duplicates, metrics.deferred), (2, 0));
    assert_eq!(broker.messages("invoices").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn exactly_once_is_refused_where_the_broker_has_no_transactions() {
    let broker = Broker::with(|b| b.without(&[Capability::Transactions]));
    let settings = "[bindings.orders.consumer]\nguarantee = 'exactly_once'";
    let app = broker
        .app(settings)
        .sink("orders", |_: Json<Order>| async {});
    let problems = app.build().expect_err("it is refused").to_string();
    for part in ["bindings.orders.consumer.guarantee", "main"] {
        assert!(problems.contains(part), "{problems}");
    }
}

#[tokio::test(start_paused = true)]
async fn exactly_once_is_refused_where_nothing_is_recorded_above_a_position_unless_in_order() {
    let forgets = || Broker::with(|b| b.positional().retry_state(RetryState::None));
    let build = |broker: Broker, ordering: &str| {
        let settings = format!(
            "[bindings.orders.consumer]\nguarantee = 'exactly_once'\nordering = '{ordering}'"
        );
        let app = broker.app(&settings);
        app.sink("orders", |_: Json<Order>| async {}).build()
    };
    for ordering in ["none", "key"] {
        let problems = build(forgets(), ordering).expect_err("it is refused");
        let report = problems.to_string();
        assert!(report.contains("records nothing"), "{report}");
        let records = Broker::with(MemoryBuilder::positional);
        assert!(build(records, ordering).is_ok(), "it is recorded");
    }
    assert!(build(forgets(), "partition").is_ok(), "it is in order");
}
