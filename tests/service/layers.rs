//! Layers of the author's own, added in one line, around single and batch listeners alike.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use mq::{middleware::Arrival, prelude::*};
use tokio::time::Instant;
use tower::{
    Layer, Service,
    limit::{ConcurrencyLimitLayer, RateLimitLayer},
    load_shed::LoadShedLayer,
};

use crate::kit::{Broker, Order, metrics, order, start};

/// A service with a single and a batch listener, which take a while.
fn shop(broker: &Broker, settings: &str) -> App {
    let work = || tokio::time::sleep(Duration::from_millis(10));
    broker
        .app(settings)
        .sink("orders", move |_: Json<Order>| async move {
            work().await;
        })
        .batch_sink("returns", move |_: Batch<Json<Order>>| async move {
            work().await;
        })
}

/// Has the service handle fifty messages on each input; returns how long that took.
async fn run(broker: &Broker, app: App) -> (mq::RunningApp, Duration) {
    let app = start(app).await;
    for input in ["orders", "returns"] {
        broker.put(input, (0..50).map(order).collect()).await;
    }
    let begin = Instant::now();
    app.until_idle().await.expect("it comes to rest");
    for input in ["orders", "returns"] {
        broker.assert_settled(input).await;
        assert_eq!(metrics(&app, input).handled, 50, "{input}");
    }
    (app, begin.elapsed())
}

const BATCHES_OF_FIVE: &str = "[bindings.returns.consumer]\nbatch = { max = 5 }";

#[tokio::test(start_paused = true)]
async fn a_rate_limit_holds_for_each_binding() {
    let broker = Broker::new();
    let limit = RateLimitLayer::new(10, Duration::from_secs(1));
    let (_app, took) = run(&broker, shop(&broker, BATCHES_OF_FIVE).layer(limit)).await;
    assert!(
        took >= Duration::from_secs(4),
        "fifty calls at ten a second took {took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_concurrency_limit_is_back_pressure_and_not_an_error() {
    let broker = Broker::new();
    let (app, took) = run(
        &broker,
        shop(&broker, "").layer(ConcurrencyLimitLayer::new(1)),
    )
    .await;
    assert!(
        took >= Duration::from_millis(500),
        "fifty calls one by one took {took:?}"
    );
    assert_eq!(metrics(&app, "orders").deferred, 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_layer_sheds_is_put_off_and_costs_no_attempt() {
    let broker = Broker::new();
    let app = shop(&broker, "")
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(1));
    let (app, _) = run(&broker, app).await;
    let metrics = metrics(&app, "orders");
    assert!(metrics.deferred > 0, "eight at a time are too many for one");
    assert_eq!(
        (metrics.failed, metrics.retries, metrics.dead_letters),
        (0, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_towers_own_puts_the_message_off() {
    let broker = Broker::new();
    let slow = Arc::new(AtomicU64::new(1));
    let listener = |_: Json<Order>, State(slow): State<Arc<AtomicU64>>| async move {
        let first = slow.swap(0, Relaxed);
        tokio::time::sleep(Duration::from_secs(10 * first)).await;
    };
    let limit = tower::timeout::TimeoutLayer::new(Duration::from_secs(1));
    let app = broker
        .app("")
        .state(slow)
        .layer(limit)
        .sink("orders", listener);
    let app = start(app).await;
    broker.put("orders", vec![order(1)]).await;
    app.until_idle().await.expect("it comes to rest");
    let metrics = metrics(&app, "orders");
    assert_eq!(
        (metrics.handled, metrics.deferred, metrics.dead_letters),
        (1, 1, 0)
    );
}

/// Counts the messages that pass.
#[derive(Clone, Default)]
struct CountLayer(Arc<AtomicU64>);

#[derive(Clone)]
struct Count<S>(S, Arc<AtomicU64>);

impl<S> Layer<S> for CountLayer {
    type Service = Count<S>;

    fn layer(&self, inner: S) -> Count<S> {
        Count(inner, self.0.clone())
    }
}

impl<R: Arrival, S: Service<R>> Service<R> for Count<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.1.fetch_add(request.deliveries().len() as u64, Relaxed);
        self.0.call(request)
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_written_by_hand_sees_single_messages_and_batches() {
    let (broker, count) = (Broker::new(), CountLayer::default());
    drop(run(&broker, shop(&broker, "").layer(count.clone())).await);
    assert_eq!(count.0.load(Relaxed), 100);
}

#[tokio::test(start_paused = true)]
async fn a_layer_of_one_binding_leaves_the_others_alone() {
    let (broker, count) = (Broker::new(), CountLayer::default());
    let layer = count.clone();
    let app = shop(&broker, "").binding("returns", |binding| binding.layer(layer));
    drop(run(&broker, app).await);
    assert_eq!(count.0.load(Relaxed), 50);
}
