//! The scenarios.

use std::{hint::black_box, sync::Arc, time::Duration};

use bytes::Bytes;
use mq_benches::feed::{FeedBinder, Slices};
use mq_core::{
    app::App,
    binder::{Binder, ConsumerSpec},
    config::Config,
    extract::{Batch, Json},
    message::Message,
};
use serde::{Deserialize, Serialize};

const ORDER: &str = r#"{"id":536365,"customer":17850,"lines":7,"total":13912}"#;

#[derive(Debug, Deserialize)]
struct Order {
    id: u64,
    customer: u64,
    lines: u32,
    total: u64,
}

#[derive(Debug, Serialize)]
struct Reply {
    id: u64,
    total: u64,
}

/// Every scenario with its two message counts.
pub(crate) const ALL: &[(&str, (u64, u64))] = &[
    ("feed", (20_000, 120_000)),
    ("bytes", (20_000, 120_000)),
    ("decode", (20_000, 120_000)),
    ("decode_str", (20_000, 120_000)),
    ("json", (20_000, 120_000)),
    ("encode", (20_000, 120_000)),
    ("reply", (20_000, 120_000)),
    ("batch64", (19_200, 96_000)),
    ("pending8", (20_000, 120_000)),
    ("key", (20_000, 120_000)),
    ("positions", (20_000, 120_000)),
    ("layer_rate_limit", (20_000, 120_000)),
    ("layer_load_shed", (20_000, 120_000)),
    ("bindings_1", (20_000, 120_000)),
    ("bindings_100", (20_000, 120_000)),
    ("bindings_1000", (100_000, 300_000)),
    ("backlog_1000", (20_000, 120_000)),
    ("backlog_1000000", (20_000, 120_000)),
];

/// What runs a scenario.
pub(crate) fn find(name: &str) -> Option<fn(u64)> {
    Some(match name {
        "feed" => feed,
        "bytes" => bytes,
        "decode" => decode,
        "decode_str" => decode_str,
        "json" => json,
        "encode" => encode,
        "reply" => reply,
        "batch64" => batch64,
        "pending8" => pending8,
        "key" => key,
        "positions" => positions,
        "layer_rate_limit" => layer_rate_limit,
        "layer_load_shed" => layer_load_shed,
        "bindings_1" => |count| bindings(1, count),
        "bindings_100" => |count| bindings(100, count),
        "bindings_1000" => |count| bindings(1_000, count),
        "backlog_1000" => |count| crate::backlog::run(1_000, count),
        "backlog_1000000" => |count| crate::backlog::run(1_000_000, count),
        _ => return None,
    })
}

fn raw() -> Slices {
    Slices::raw(&[7; 64])
}

fn order() -> Slices {
    Slices::json(ORDER)
}

/// Runs an application on a feed of such messages until all are settled.
fn run(
    slices: Slices,
    count: u64,
    bindings: u64,
    settings: Config,
    build: impl FnOnce(App) -> App,
) {
    let feed = FeedBinder::new(slices, count / bindings);
    run_on(&feed, count, bindings, settings, build);
}

/// Runs an application on this feed until so many messages are settled altogether.
fn run_on(
    feed: &Arc<FeedBinder>,
    count: u64,
    bindings: u64,
    settings: Config,
    build: impl FnOnce(App) -> App,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let settled = feed.settled();
        let config = settings.set("app.name", "bench");
        let app = build(App::builder().config(config).binder("main", feed.clone()));
        let running = app.build().expect("a plan").start().await.expect("starts");
        settled.reach(count / bindings * bindings).await;
        running.stop().await.expect("stops");
    });
}

fn settings(ordering: &str, concurrency: usize) -> Config {
    Config::empty()
        .set("bindings.in.consumer.ordering", ordering)
        .set("bindings.in.consumer.concurrency", concurrency)
        .set("bindings.in.consumer.timeout", Duration::from_secs(30))
}

/// What the bench's own consumer costs: hands over and forgets, without any loop.
fn feed(count: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let feed = FeedBinder::new(raw(), count);
        let consumer = feed.consumer(&ConsumerSpec::new("in", None)).await;
        let (mut consumer, mut records) = (consumer.expect("a consumer"), Vec::new());
        let mut left = count;
        while left > 0 {
            let received = consumer.receive(&mut records, 256).await;
            drop(received.expect("received"));
            left -= black_box(&records).len() as u64;
            records.clear();
        }
    });
}

fn bytes(count: u64) {
    run(raw(), count, 1, settings("none", 8), |app| {
        app.sink(
            "in",
            |payload: Bytes| async move { drop(black_box(payload)) },
        )
    });
}

fn key(count: u64) {
    let slices = Slices::keyed(&[7; 64], (0..64).map(|n| format!("customer-{n}")));
    run(slices, count, 1, settings("key", 8), |app| {
        app.sink(
            "in",
            |payload: Bytes| async move { drop(black_box(payload)) },
        )
    });
}

/// As `bytes`, with a consumer that takes positions.
fn positions(count: u64) {
    let feed = FeedBinder::positional(raw(), count);
    run_on(&feed, count, 1, settings("none", 8), |app| {
        app.sink(
            "in",
            |payload: Bytes| async move { drop(black_box(payload)) },
        )
    });
}

fn look(order: &Order) -> u64 {
    order.id + order.customer + u64::from(order.lines) + order.total
}

fn decode(count: u64) {
    decode_by(count, |json| serde_json::from_slice(json));
}

/// As [`decode`], with one check for UTF-8, as the loop reads it.
fn decode_str(count: u64) {
    decode_by(count, |json| {
        serde_json::from_str(std::str::from_utf8(json).expect("UTF-8"))
    });
}

/// The JSON lies where that of a message would: how it is aligned decides over 40 instructions.
fn decode_by(count: u64, read: impl Fn(&[u8]) -> serde_json::Result<Order>) {
    let message = Message::new(Bytes::copy_from_slice(ORDER.as_bytes()));
    for _ in 0..count {
        let order = read(black_box(message.as_bytes())).expect("an order");
        black_box(look(&order));
    }
}

fn json(count: u64) {
    run(order(), count, 1, settings("none", 8), |app| {
        app.sink("in", |Json(order): Json<Order>| async move {
            black_box(look(&order));
        })
    });
}

fn encode(count: u64) {
    for id in 0..count {
        let mut buffer = Vec::with_capacity(64);
        serde_json::to_writer(&mut buffer, black_box(&Reply { id, total: 13_912 }))
            .expect("encodes");
        black_box(&buffer);
    }
}

fn reply(count: u64) {
    run(order(), count, 1, settings("none", 8), |app| {
        app.processor("in", "out", |Json(order): Json<Order>| async move {
            Json(Reply {
                id: order.id,
                total: order.total,
            })
        })
    });
}

fn batch64(count: u64) {
    let settings = settings("none", 8).set("bindings.in.consumer.batch.max", 64_usize);
    run(order(), count, 1, settings, |app| {
        app.batch_sink("in", |orders: Batch<Json<Order>>| async move {
            black_box(orders.values().map(look).sum::<u64>());
        })
    });
}

fn pending8(count: u64) {
    run(raw(), count, 1, settings("none", 8), |app| {
        app.sink("in", |payload: Bytes| async move {
            PendOnce(false).await;
            drop(black_box(payload));
        })
    });
}

/// Pending once, and woken at once.
struct PendOnce(bool);

impl Future for PendOnce {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    }
}

fn layer_rate_limit(count: u64) {
    run(raw(), count, 1, settings("none", 8), |app| {
        app.layer(tower::limit::RateLimitLayer::new(
            u64::MAX,
            Duration::from_secs(1),
        ))
        .sink(
            "in",
            |payload: Bytes| async move { drop(black_box(payload)) },
        )
    });
}

fn layer_load_shed(count: u64) {
    run(raw(), count, 1, settings("none", 8), |app| {
        app.layer(tower::load_shed::LoadShedLayer::new())
            .sink(
                "in",
                |payload: Bytes| async move { drop(black_box(payload)) },
            )
    });
}

fn bindings(bindings: u64, count: u64) {
    let config = Config::empty();
    run(raw(), count, bindings, config, |app| {
        (0..bindings).fold(app, |app, n| {
            app.sink(format!("in-{n}"), |payload: Bytes| async move {
                drop(black_box(payload));
            })
        })
    });
}
