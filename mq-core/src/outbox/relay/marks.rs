//! What a worker writes down after a batch.

use crate::{
    error::Result,
    outbox::{OutboxRow, OutboxStore, PartitionLease, RowFailure, RowId},
};

/// What a worker writes down after a batch.
#[derive(Debug, Default)]
pub(super) struct Marks {
    published: Part<RowId>,
    failed: Part<RowFailure>,
    parked: Part<RowFailure>,
}

/// Rows, and the leases of their partitions.
#[derive(Debug)]
struct Part<T> {
    leases: Vec<PartitionLease>,
    rows: Vec<T>,
}

impl<T> Part<T> {
    fn push(&mut self, lease: PartitionLease, row: T) {
        if !self.leases.contains(&lease) {
            self.leases.push(lease);
        }
        self.rows.push(row);
    }
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self {
            leases: Vec::new(),
            rows: Vec::new(),
        }
    }
}

impl Marks {
    pub(super) fn published(&mut self, lease: PartitionLease, row: &OutboxRow) {
        self.published.push(lease, row.id);
    }

    pub(super) fn failed(&mut self, lease: PartitionLease, failure: RowFailure) {
        self.failed.push(lease, failure);
    }

    pub(super) fn parked(&mut self, lease: PartitionLease, failure: RowFailure) {
        self.parked.push(lease, failure);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.published.rows.is_empty() && self.failed.rows.is_empty() && self.parked.rows.is_empty()
    }

    /// The leases of all rows that are not written down yet.
    pub(super) fn leases(&self) -> impl Iterator<Item = &PartitionLease> {
        let failures = self.failed.leases.iter().chain(&self.parked.leases);
        self.published.leases.iter().chain(failures)
    }

    /// Writes everything down, once; returns the leases that were lost. After an error, what was written is not repeated.
    pub(super) async fn write(&mut self, store: &dyn OutboxStore) -> Result<Vec<PartitionLease>> {
        let mut lost = Vec::new();
        let part = &self.published;
        if !part.rows.is_empty() {
            lost.extend(store.published(&part.leases, &part.rows).await?);
            self.published = Part::default();
        }
        let part = &self.parked;
        if !part.rows.is_empty() {
            lost.extend(store.park(&part.leases, &part.rows).await?);
            self.parked = Part::default();
        }
        let part = &self.failed;
        if !part.rows.is_empty() {
            lost.extend(store.failed(&part.leases, &part.rows).await?);
            self.failed = Part::default();
        }
        Ok(lost)
    }
}
