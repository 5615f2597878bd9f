//! Keeps the leases of a relay alive, and its share of the partitions fair.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep_until, timeout};

use super::{STORE, Shared};
use crate::error::{Error, ErrorKind, Result};

/// Runs until it is dropped.
pub(super) async fn keeper(shared: Arc<Shared>) {
    let third = shared.options.lease / 3;
    loop {
        let pause = match renew(&shared).await {
            Ok(Share::Full) => third,
            Ok(Share::Short) | Err(_) => third.min(Duration::from_secs(1)),
        };
        let next = shared.clock.now() + pause;
        loop {
            hand_back(&shared).await;
            tokio::select! {
                () = sleep_until(next) => break,
                () = shared.held.unused.notified() => {}
            }
        }
    }
}

enum Share {
    /// The relay has all it should have.
    Full,
    /// Others have yet to hand something back.
    Short,
}

async fn renew(shared: &Shared) -> Result<Share> {
    let before = shared.held.all();
    let until = shared.clock.now() + shared.options.lease;
    let call = shared
        .store
        .lease(&shared.id, &before, shared.options.lease);
    let answer = timeout(shared.options.lease, call).await;
    let leases = match answer.unwrap_or_else(|_| Err(no_answer())) {
        Ok(leases) => leases,
        Err(error) => {
            shared.monitor.trouble(STORE, &error);
            return Err(error);
        }
    };
    shared.monitor.works(STORE);
    let lost = before
        .iter()
        .filter(|lease| !leases.held.contains(lease))
        .count();
    shared.monitor.lost(lost);
    shared.monitor.partitions(leases.held.len());
    if shared.held.renewed(&leases, until) {
        shared.signal.send_modify(|signal| signal.wakes += 1);
    }
    Ok(if leases.held.len() < leases.share {
        Share::Short
    } else {
        Share::Full
    })
}

fn no_answer() -> Error {
    Error::new(ErrorKind::Unavailable, "the outbox's store does not answer").temporary()
}

/// Hands back what is beyond the share. What cannot be handed back is taken anew, or ends with its lease.
async fn hand_back(shared: &Shared) {
    let unused = shared.held.take_unused();
    if unused.is_empty() {
        return;
    }
    let call = timeout(shared.options.lease / 3, shared.store.hand_back(&unused));
    if let Err(error) = call.await.unwrap_or_else(|_| Err(no_answer())) {
        shared.monitor.trouble(STORE, &error);
    }
    shared.monitor.partitions(shared.held.all().len());
}
