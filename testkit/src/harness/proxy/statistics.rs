//! What has passed through a proxy.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::settings::Towards;

/// Counts since the proxy started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Connections that were accepted. Those that the system refused are not seen.
    pub accepted: u64,
    /// Connections that are there now.
    pub open: u64,
    /// Connections that were cut.
    pub cut: u64,
    /// Connections for which the server could not be reached.
    pub unreachable: u64,
    /// Bytes handed to the server.
    pub to_server: u64,
    /// Bytes handed to clients.
    pub to_client: u64,
    /// Bytes that were changed.
    pub corrupted: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) ended: AtomicU64,
    pub(super) cut: AtomicU64,
    pub(super) unreachable: AtomicU64,
    to_server: AtomicU64,
    to_client: AtomicU64,
    pub(super) corrupted: AtomicU64,
}

impl Counters {
    /// The bytes of one direction.
    pub(super) fn bytes(&self, towards: Towards) -> &AtomicU64 {
        match towards {
            Towards::Server => &self.to_server,
            Towards::Client => &self.to_client,
        }
    }

    pub(super) fn read(&self) -> Statistics {
        let ended = self.ended.load(Relaxed);
        let accepted = self.accepted.load(Relaxed);
        Statistics {
            accepted,
            open: accepted.saturating_sub(ended),
            cut: self.cut.load(Relaxed),
            unreachable: self.unreachable.load(Relaxed),
            to_server: self.to_server.load(Relaxed),
            to_client: self.to_client.load(Relaxed),
            corrupted: self.corrupted.load(Relaxed),
        }
    }
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
