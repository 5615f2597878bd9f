//! What a relay tells about itself.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::error::Error;

/// Looks at a running relay. Cheap to clone; outlives the relay.
#[derive(Clone, Debug, Default)]
pub struct RelayMonitor(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    published: AtomicU64,
    failed: AtomicU64,
    parked: AtomicU64,
    lost: AtomicU64,
    partitions: AtomicUsize,
    troubles: Mutex<BTreeMap<String, String>>,
}

/// How a relay is at one moment. Counts are since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayStatus {
    /// Messages that the broker has confirmed.
    pub published: u64,
    /// Failed attempts that were counted against a row.
    pub failed: u64,
    /// Keys that were parked.
    pub parked: u64,
    /// Partitions that another relay took over before they were handed back. Their last batch may be published twice.
    pub lost: u64,
    /// Partitions held now.
    pub partitions: usize,
    /// What does not work now, by place: the store, or an output. Empty: all is well.
    pub troubles: Vec<(String, String)>,
}

impl RelayMonitor {
    /// How the relay is now. Answers from memory.
    #[must_use]
    pub fn status(&self) -> RelayStatus {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let troubles = self.troubles();
        RelayStatus {
            published: count(&self.0.published),
            failed: count(&self.0.failed),
            parked: count(&self.0.parked),
            lost: count(&self.0.lost),
            partitions: self.0.partitions.load(Ordering::Relaxed),
            troubles: troubles
                .iter()
                .map(|(at, why)| (at.clone(), why.clone()))
                .collect(),
        }
    }

    pub(super) fn published(&self, rows: usize) {
        self.0.published.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.0.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn parked(&self) {
        self.0.parked.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lost(&self, leases: usize) {
        self.0.lost.fetch_add(leases as u64, Ordering::Relaxed);
    }

    pub(super) fn partitions(&self, held: usize) {
        self.0.partitions.store(held, Ordering::Relaxed);
    }

    /// Keeps what does not work at this place, and logs it when it is new there.
    pub(super) fn trouble(&self, place: &str, error: &Error) {
        let why = error.chain();
        let mut troubles = self.troubles();
        if troubles.insert(place.to_owned(), why.clone()).is_none() {
            tracing::warn!(place, error = why, "the outbox relay waits");
        }
    }

    /// The place works.
    pub(super) fn works(&self, place: &str) {
        if self.troubles().remove(place).is_some() {
            tracing::info!(place, "the outbox relay goes on");
        }
    }

    fn troubles(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0
            .troubles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
