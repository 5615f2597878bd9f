//! A binding on the in-memory binder while a backlog of constant length waits: publishing counts here, so only the ratio tells.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use mq_core::{
    app::App,
    binder::{Binder, Producer, ProducerSpec},
    config::Config,
    extract::State,
    message::Message,
};
use mq_memory::{Limit, MemoryBinder};
use tokio::sync::Notify;

/// Messages in one call of the producer.
const BATCH: u64 = 256;

/// How many were handled, and who waits for the next batch of them.
#[derive(Clone, Default)]
struct Handled(Arc<(AtomicU64, Notify)>);

impl Handled {
    fn one_more(&self) {
        if (self.0.0.fetch_add(1, Relaxed) + 1).is_multiple_of(BATCH) {
            self.0.1.notify_one();
        }
    }

    async fn reach(&self, count: u64) {
        while self.0.0.load(Relaxed) < count {
            self.0.1.notified().await;
        }
    }
}

/// Handles `count` messages while `backlog` wait.
pub(crate) fn run(backlog: u64, count: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(handle(backlog, count));
}

async fn handle(backlog: u64, count: u64) {
    let binder = MemoryBinder::builder()
        .limit(Limit::new(u64::MAX, u64::MAX))
        .retain(0)
        .build();
    let binder = Arc::new(binder.expect("a binder"));
    let handled = Handled::default();
    let producer = binder.producer(&ProducerSpec::new("in")).await;
    let producer = producer.expect("a producer");
    let settings = Config::empty().set("app.name", "bench");
    let app = App::builder()
        .config(settings)
        .binder("main", binder)
        .state(handled.clone())
        .sink(
            "in",
            |payload: Bytes, State(handled): State<Handled>| async move {
                drop(black_box(payload));
                handled.one_more();
            },
        );
    let planned = app.build().expect("a plan");
    let batch: Vec<_> = (0..BATCH).map(|_| Message::new(vec![7_u8; 64])).collect();
    for _ in 0..backlog.div_ceil(BATCH) {
        publish(&*producer, &batch).await;
    }
    let running = planned.start().await.expect("starts");
    for round in 1..=count / BATCH {
        handled.reach(round * BATCH).await;
        publish(&*producer, &batch).await;
    }
    running.stop().await.expect("stops");
}

async fn publish(producer: &dyn Producer, messages: &[Message]) {
    let results = producer.publish(messages).await;
    assert!(results.iter().all(Result::is_ok), "published");
}
