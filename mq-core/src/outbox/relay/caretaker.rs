//! Removes old rows in the background, and notices rows that no output waits for.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::Shared;
use crate::error::{Error, ErrorKind, Result};

const EVERY: Duration = Duration::from_secs(60);
const CHUNK: usize = 1_000;

/// Runs until it is dropped. Only the relay that holds partition 0 does the work, so there is one at a time.
pub(super) async fn caretaker(shared: Arc<Shared>) {
    loop {
        if shared.held.all().iter().any(|lease| lease.partition == 0) {
            let done = async {
                clean(&shared).await?;
                find_strangers(&shared).await
            };
            if let Err(error) = done.await {
                tracing::debug!(error = error.chain(), "the outbox was not cleaned up");
            }
        }
        sleep(EVERY).await;
    }
}

async fn clean(shared: &Shared) -> Result<()> {
    while shared.store.cleanup(shared.options.keep, CHUNK).await? >= CHUNK {
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn find_strangers(shared: &Shared) -> Result<()> {
    let known: HashSet<_> = shared.publisher.outputs().into_iter().collect();
    let stats = shared.store.stats().await?;
    for output in stats
        .outputs
        .iter()
        .filter(|output| !known.contains(*output))
    {
        let error = Error::new(
            ErrorKind::Config,
            "the outbox has rows for an output that this application does not have; add the binding, or publish them with a \
             version that has it",
        )
        .context("output", output);
        shared.monitor.trouble(output, &error);
    }
    Ok(())
}
