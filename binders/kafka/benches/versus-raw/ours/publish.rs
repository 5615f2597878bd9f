//! Publishing through an output binding, with 10,000 messages on their way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use mq_core::{error::Result, message::Message, output::Outlet};
use tokio::task::JoinSet;

use super::{app, runtime};
use crate::{
    Outcome,
    cost::{processor, since},
    job::{IN_FLIGHT, Job, Used},
    payload::Payloads,
};

/// Publishes in calls of this many messages.
pub(crate) fn publish(job: &Job, batch: usize) -> Outcome<Used> {
    let before = processor();
    let payloads = Payloads::new(job.bytes);
    let messages: Vec<Message> = payloads
        .all()
        .iter()
        .map(|payload| Message::new(payload.clone()))
        .collect();
    let messages: Arc<[Message]> = messages.into();
    runtime()?.block_on(async {
        let running = app(job).build()?.start().await?;
        let outlet = running.handle().outlets().get("output")?.clone();
        confirmed(outlet.publish(&messages[..1]).await)?;
        let begin = Instant::now();
        all(&outlet, &messages, job.messages, batch).await?;
        let used = since(begin, before);
        running.stop().await?;
        Ok(used)
    })
}

fn confirmed<T>(results: Vec<Result<T>>) -> Result<()> {
    results.into_iter().try_for_each(|result| result.map(drop))
}

async fn all(
    outlet: &Arc<Outlet>,
    messages: &Arc<[Message]>,
    count: u64,
    batch: usize,
) -> Outcome<()> {
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks: JoinSet<Result<()>> = JoinSet::new();
    for _ in 0..IN_FLIGHT / batch {
        let (outlet, messages, next) = (outlet.clone(), messages.clone(), next.clone());
        tasks.spawn(async move {
            let mut place = 0;
            while next.fetch_add(batch as u64, Ordering::Relaxed) < count {
                // Every message is made, as a caller makes it.
                let made: Vec<_> = messages[place..place + batch].to_vec();
                place = (place + batch) % (messages.len() - batch);
                confirmed(outlet.publish(&made).await)?;
            }
            Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
