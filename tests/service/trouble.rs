//! Trouble with the broker, and messages that fail for good: nothing is lost, and what is confirmed comes first.

use std::time::Duration;

use mq::{
    RunningApp,
    binding::{BindingState, Command},
    clock::Clock,
    idempotency::MemoryIdempotencyStore,
    memory::Refusal,
    prelude::*,
};
use tokio::time::sleep;

use crate::kit::{Broker, Order, Seen, letter, metrics, order, start};

/// A service that bills orders: an odd number fails for good, and every order becomes an invoice.
async fn shop(broker: &Broker, settings: &str) -> (RunningApp, Seen) {
    let seen = Seen::default();
    let bill = |Json(order): Json<Order>, State(seen): State<Seen>| async move {
        seen.note(order.id.to_string());
        match order.id % 2 {
            0 => Ok(Text(format!("invoice {}", order.id))),
            _ => Err(Failure::retry("odd orders cannot be billed")),
        }
    };
    let app = broker.app(settings).state(seen.clone());
    (start(app.processor("orders", "invoices", bill)).await, seen)
}

async fn invoices(broker: &Broker) -> Vec<String> {
    let messages = broker.messages("invoices").await;
    let text = |message: &Message| String::from_utf8_lossy(message.as_bytes()).into_owned();
    messages.iter().map(text).collect()
}

fn binding(app: &RunningApp) -> &mq::binding::BindingHandle {
    app.handle().binding("orders").expect("it is there")
}

/// Waits until the binding is in such a state.
async fn reaches(app: &RunningApp, wanted: fn(&BindingState) -> bool) -> BindingState {
    binding(app).wait_for(wanted).await
}

#[tokio::test(start_paused = true)]
async fn the_input_is_acknowledged_after_its_output_is_confirmed() {
    let broker = Broker::new();
    let (app, seen) = shop(&broker, "").await;
    broker
        .0
        .faults()
        .refuse_publish("invoices", usize::MAX, Refusal::Temporary);
    broker.put("orders", vec![order(2)]).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(
        (
            broker.unsettled("orders").await,
            invoices(&broker).await.len()
        ),
        (1, 0)
    );
    broker.0.faults().restore();
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    assert_eq!(invoices(&broker).await, ["invoice 2"]);
    assert_eq!(
        seen.all(),
        ["2"],
        "what failed is published again, not handled again"
    );
}

#[tokio::test(start_paused = true)]
async fn an_output_that_is_refused_for_good_makes_the_input_a_dead_letter() {
    let broker = Broker::new();
    let (app, _) = shop(&broker, "").await;
    broker
        .0
        .faults()
        .refuse_publish("invoices", 1, Refusal::Permanent);
    broker.put("orders", vec![order(2), order(4)]).await;
    app.until_idle().await.expect("it comes to rest");
    assert_eq!(invoices(&broker).await.len(), 1);
    assert_eq!(
        broker.letters("orders.shop.dlq").await,
        [letter("rejected", "unpublishable", "1")]
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_cannot_be_published_leaves_its_message_unsettled() {
    let broker = Broker::new();
    let (app, _) = shop(&broker, "").await;
    broker
        .0
        .faults()
        .refuse_publish("orders.shop.dlq", 5, Refusal::Temporary);
    broker.put("orders", vec![order(1)]).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(broker.unsettled("orders").await, 1);
    app.until_idle().await.expect("it comes to rest");
    assert_eq!(
        broker.letters("orders.shop.dlq").await,
        [letter("exhausted", "failure", "3")]
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_refused_for_good_stops_the_binding() {
    let broker = Broker::new();
    let (app, _) = shop(&broker, "").await;
    broker
        .0
        .faults()
        .refuse_publish("orders.shop.dlq", 1, Refusal::Permanent);
    broker.put("orders", vec![order(1)]).await;
    let state = reaches(&app, |state| matches!(state, BindingState::Failed(_))).await;
    assert!(state.to_string().contains("cannot be published"), "{state}");
    assert_eq!(broker.unsettled("orders").await, 1);
    binding(&app)
        .command(Command::Start)
        .await
        .expect("it listens");
    reaches(&app, |state| *state == BindingState::Running).await;
    app.until_idle().await.expect("it comes to rest");
    assert_eq!(broker.letters("orders.shop.dlq").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn exhausted_stop_leaves_the_message_to_those_who_repair_the_service() {
    let broker = Broker::new();
    let (app, _) = shop(&broker, "[bindings.orders.consumer]\nexhausted = 'stop'").await;
    broker.put("orders", vec![order(1), order(2)]).await;
    reaches(&app, |state| matches!(state, BindingState::Failed(_))).await;
    assert!(broker.unsettled("orders").await >= 1);
    assert!(broker.messages("orders.shop.dlq").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn exhausted_requeue_gives_the_message_back_until_it_succeeds() {
    let broker = Broker::new();
    let (app, seen) = shop(
        &broker,
        "[bindings.orders.consumer]\nexhausted = 'requeue'\nretry = { attempts = 1 }",
    )
    .await;
    broker.put("orders", vec![order(1)]).await;
    sleep(Duration::from_secs(45)).await;
    assert_eq!(
        seen.all().len(),
        5,
        "one call, and one after every ten seconds"
    );
    assert_eq!(broker.unsettled("orders").await, 1);
    drop(app);
}

#[tokio::test(start_paused = true)]
async fn exhausted_discard_is_counted() {
    let broker = Broker::new();
    let (app, _) = shop(&broker, "[bindings.orders.consumer]\nexhausted = 'discard'").await;
    broker.put("orders", vec![order(1), order(2)]).await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    let metrics = metrics(&app, "orders");
    assert_eq!(
        (metrics.discarded, metrics.dead_letters, metrics.retries),
        (1, 0, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_found_again_and_nothing_is_lost() {
    let broker = Broker::new();
    let (app, seen) = shop(&broker, "").await;
    broker
        .put("orders", (0..100).map(|id| order(2 * id)).collect())
        .await;
    broker.0.faults().lose_connection();
    reaches(&app, |state| matches!(state, BindingState::Down(_))).await;
    broker.0.faults().restore();
    reaches(&app, |state| *state == BindingState::Running).await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    let mut numbers = seen.all();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 100);
    assert_eq!(metrics(&app, "orders").reconnects, 1);
}

#[tokio::test(start_paused = true)]
async fn settlements_that_fail_are_repeated() {
    let broker = Broker::new();
    let (app, seen) = shop(&broker, "").await;
    broker.0.faults().fail_settle(3);
    broker.put("orders", vec![order(2)]).await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    assert_eq!(seen.all(), ["2"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_delivered_again_has_its_effect_once() {
    let (broker, seen) = (Broker::new(), Seen::default());
    let settings = "[bindings.orders.consumer]\nidempotency = 'claims'";
    let listener = |Json(order): Json<Order>, State(seen): State<Seen>| async move {
        seen.note(order.id.to_string());
    };
    let app = broker
        .app(settings)
        .store(
            "claims",
            std::sync::Arc::new(MemoryIdempotencyStore::new(Clock::system())),
        )
        .state(seen.clone())
        .sink("orders", listener);
    let app = start(app).await;
    broker.0.faults().duplicate_delivery(10);
    broker.put("orders", (0..20).map(order).collect()).await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    assert_eq!(
        (seen.all().len(), metrics(&app, "orders").duplicates),
        (20, 10)
    );
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_fetches_nothing_and_counts_no_attempt() {
    let (broker, seen) = (Broker::new(), Seen::default());
    let settings = "[bindings.orders.consumer]\nconcurrency = 1\nretry = { attempts = 100, initial = '1ms', max = '1ms' }\n\
         circuit_breaker = { failures = 0.5, minimum = 4, window = '10s', pause = '1m' }";
    let begin = tokio::time::Instant::now();
    let listener = move |Json(order): Json<Order>, State(seen): State<Seen>| async move {
        seen.note(order.id.to_string());
        if begin.elapsed() < Duration::from_secs(90) {
            return Err(Failure::retry("the bank is away"));
        }
        Ok(())
    };
    let app = broker
        .app(settings)
        .state(seen.clone())
        .sink("orders", listener);
    let app = start(app).await;
    broker.put("orders", (0..10).map(order).collect()).await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    let metrics = metrics(&app, "orders");
    assert_eq!((metrics.handled, metrics.dead_letters), (10, 0));
    // Four failures open it, one trial after a minute fails, the trial after two minutes succeeds.
    assert_eq!(metrics.failed, 5, "{:?}", seen.all());
    assert!(
        begin.elapsed() >= Duration::from_secs(120),
        "{:?}",
        begin.elapsed()
    );
}
