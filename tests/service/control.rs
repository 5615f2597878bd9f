//! A binding obeys while it runs: pause, resume, stop, start, another concurrency, and an ordered end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use mq::{
    RunningApp,
    binding::{BindingState, Command},
    prelude::*,
};
use tokio::time::{Instant, sleep};

use crate::kit::{Broker, Order, metrics, order, start};

/// How many calls are under way, and how many were at most.
#[derive(Clone, Default)]
struct Busy(Arc<(AtomicUsize, AtomicUsize)>);

impl Busy {
    async fn work(&self, time: Duration) {
        let now = self.0.0.fetch_add(1, Relaxed) + 1;
        self.0.1.fetch_max(now, Relaxed);
        sleep(time).await;
        self.0.0.fetch_sub(1, Relaxed);
    }

    fn most(&self) -> usize {
        self.0.1.swap(0, Relaxed)
    }
}

/// A service whose handler takes a second.
async fn shop(broker: &Broker, settings: &str) -> (RunningApp, Busy) {
    let busy = Busy::default();
    let listener = |_: Json<Order>, State(busy): State<Busy>| async move {
        busy.work(Duration::from_secs(1)).await;
    };
    let app = broker.app(settings).state(busy.clone());
    (start(app.sink("orders", listener)).await, busy)
}

async fn command(app: &RunningApp, command: Command) {
    let binding = app.handle().binding("orders").expect("it is there");
    binding.command(command).await.expect("it listens");
}

async fn reaches(app: &RunningApp, wanted: BindingState) {
    let binding = app.handle().binding("orders").expect("it is there");
    binding.wait_for(|state| *state == wanted).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_binding_finishes_what_it_has_and_begins_nothing() {
    let broker = Broker::new();
    let (app, _) = shop(&broker, "[bindings.orders.consumer]\nconcurrency = 2").await;
    broker.put("orders", (0..10).map(order).collect()).await;
    sleep(Duration::from_millis(500)).await;
    command(&app, Command::Pause).await;
    reaches(&app, BindingState::Paused).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(metrics(&app, "orders").handled, 2);
    command(&app, Command::Resume).await;
    app.until_idle().await.expect("it comes to rest");
    assert_eq!(metrics(&app, "orders").handled, 10);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_binding_gives_back_what_it_has_not_begun() {
    let broker = Broker::new();
    let (app, _) = shop(&broker, "[bindings.orders.consumer]\nconcurrency = 2").await;
    broker.put("orders", (0..10).map(order).collect()).await;
    sleep(Duration::from_millis(500)).await;
    command(&app, Command::Stop).await;
    reaches(&app, BindingState::Stopped).await;
    let unsettled = broker.unsettled("orders").await;
    assert_eq!((metrics(&app, "orders").handled, unsettled), (2, 8));
    command(&app, Command::Start).await;
    app.until_idle().await.expect("it comes to rest");
    assert_eq!(metrics(&app, "orders").handled, 10);
}

#[tokio::test(start_paused = true)]
async fn the_concurrency_changes_while_it_runs() {
    let broker = Broker::new();
    let (app, busy) = shop(&broker, "[bindings.orders.consumer]\nconcurrency = 2").await;
    broker.put("orders", (0..100).map(order).collect()).await;
    sleep(Duration::from_millis(4_500)).await;
    assert_eq!(busy.most(), 2);
    command(&app, Command::Concurrency(10)).await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(busy.most(), 10);
    command(&app, Command::Concurrency(1)).await;
    sleep(Duration::from_secs(2)).await;
    assert!(busy.most() > 1);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(busy.most(), 1);
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_handlers_and_reports() {
    let broker = Broker::new();
    let (app, _) = shop(&broker, "[bindings.orders.consumer]\nconcurrency = 3").await;
    broker.put("orders", (0..10).map(order).collect()).await;
    sleep(Duration::from_millis(500)).await;
    let report = app.stop().await.expect("it stops");
    assert_eq!((report.drained.finished, report.drained.abandoned), (3, 0));
    let unsettled = broker.unsettled("orders").await;
    assert_eq!(unsettled, 7);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_too_slow_for_the_end_is_dropped_and_its_message_kept() {
    let broker = Broker::new();
    let settings = "[app]\ndrain = '100ms'\n[bindings.orders.consumer]\nconcurrency = 1";
    let (app, _) = shop(&broker, settings).await;
    broker.put("orders", vec![order(1), order(2)]).await;
    sleep(Duration::from_millis(500)).await;
    let begin = Instant::now();
    let report = app.stop().await.expect("it stops");
    assert_eq!((report.drained.finished, report.drained.abandoned), (0, 1));
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
    let (app, _) = shop(&broker, "").await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    assert_eq!(metrics(&app, "orders").handled, 2);
}

#[tokio::test(start_paused = true)]
async fn a_crash_repeats_what_was_not_settled_and_nothing_else() {
    let broker = Broker::new();
    let (app, _) = shop(&broker, "[bindings.orders.consumer]\nconcurrency = 4").await;
    broker.put("orders", (0..10).map(order).collect()).await;
    sleep(Duration::from_millis(1_500)).await;
    let before = metrics(&app, "orders").handled;
    drop(app);
    tokio::task::yield_now().await;
    let (app, _) = shop(&broker, "").await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    assert_eq!((before, metrics(&app, "orders").handled), (4, 6));
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_in_is_bounded_however_much_waits() {
    let broker = Broker::new();
    let settings = "[bindings.orders.consumer]\nconcurrency = 4\nwindow = { messages = 16 }";
    let (app, busy) = shop(&broker, settings).await;
    broker.put("orders", (0..500).map(order).collect()).await;
    let binding = app.handle().binding("orders").expect("it is there").clone();
    let mut most = 0;
    while binding.metrics().snapshot().handled < 500 {
        most = most.max(binding.unsettled());
        sleep(Duration::from_millis(100)).await;
    }
    assert!(most <= 16, "{most} unsettled at once");
    assert_eq!(busy.most(), 4);
}
