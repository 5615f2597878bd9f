//! A listener that takes bytes, and one that passes them on.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use mq_core::app::App;
use rdkafka::consumer::BaseConsumer;
use tokio::{sync::Notify, task::block_in_place};

use super::{app, runtime};
use crate::{
    Outcome,
    cost::{processor, since},
    job::{Job, Used},
    payload::handle,
    raw,
};

/// What listeners count.
#[derive(Debug, Default)]
struct Seen {
    begin: OnceLock<Instant>,
    count: AtomicU64,
    all: Notify,
}

impl Seen {
    fn one(&self, messages: u64) {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            self.begin.get_or_init(Instant::now);
        }
        if before + 1 == messages {
            self.all.notify_one();
        }
    }
}

/// Reads a topic to its end.
pub(crate) fn consume(job: &Job) -> Outcome<Used> {
    let seen = Arc::new(Seen::default());
    let (counter, messages, work) = (seen.clone(), job.messages, job.work);
    let app = app(job).sink("input", move |body: Bytes| {
        handle(work, &body);
        counter.one(messages);
        async {}
    });
    run(job, app, &seen)
}

/// Reads a topic to its end; every message leaves as it came, in the transaction that settles it.
pub(crate) fn transform(job: &Job) -> Outcome<Used> {
    let seen = Arc::new(Seen::default());
    let (counter, messages) = (seen.clone(), job.messages);
    let app = app(job)
        .set("bindings.input.consumer.guarantee", "exactly_once")
        // One transaction of the bare loop's size is on its way, and one is being filled.
        .set(
            "bindings.input.consumer.window.messages",
            2 * job.transaction,
        )
        .processor("input", "output", move |body: Bytes| {
            counter.one(messages);
            async move { body }
        });
    run(job, app, &seen)
}

/// Runs an application until its group has committed every message.
fn run(job: &Job, app: App, seen: &Seen) -> Outcome<Used> {
    let before = processor();
    let mut watching = raw::reading(&job.servers, &job.group);
    // Otherwise the answer waits for the transaction that is open, and is asked for again after 100 ms.
    watching.set("isolation.level", "read_uncommitted");
    let watching: BaseConsumer = watching.create()?;
    runtime()?.block_on(async {
        let running = app.build()?.start().await?;
        seen.all.notified().await;
        while block_in_place(|| raw::committed(&watching, &job.input))? < job.messages {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let used = since(*seen.begin.get_or_init(Instant::now), before);
        running.stop().await?;
        Ok(used)
    })
}
