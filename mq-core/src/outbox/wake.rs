//! The wake-up in process: a commit is relayed at once, without a poll.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes the relay of an outbox in the same process. Cheap to clone; all clones wake the same relay.
///
/// Called after the commit of a transaction with outbox rows in it.
/// Any number of calls before the relay looks are one; a call that nobody waits for yet is not lost.
#[derive(Clone, Debug, Default)]
pub struct WakeUp(Arc<Notify>);

impl WakeUp {
    /// Wakes the relay, or makes its next wait end at once.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for [`wake`](Self::wake). Cancel-safe: a wake-up that comes while nobody waits is kept for the next wait.
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}
