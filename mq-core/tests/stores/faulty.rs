//! An outbox that can be cut off, for tests of the relay.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use mq_core::{
    error::{Error, ErrorKind, Result},
    outbox::{
        Fetch, Leases, MemoryOutbox, OrderKey, OutboxMessage, OutboxRow, OutboxStats, OutboxStore,
        ParkedKey, PartitionLease, RelayId, RowFailure, RowId, Unpark, WakeUp,
    },
};

/// The view that one relay has of an outbox.
#[derive(Debug, Default)]
pub(crate) struct Faulty {
    pub(crate) inner: MemoryOutbox,
    /// No call is answered.
    pub(crate) cut: AtomicBool,
    /// Calls fail.
    pub(crate) away: AtomicBool,
    /// Marks of published rows are not answered, and change nothing.
    pub(crate) loses_marks: AtomicBool,
    /// How many calls have written something.
    pub(crate) writes: AtomicUsize,
    pub(crate) fetches: AtomicUsize,
}

impl Faulty {
    pub(crate) fn new(inner: &MemoryOutbox) -> Arc<Self> {
        Arc::new(Self {
            inner: inner.clone(),
            ..Self::default()
        })
    }

    async fn pass(&self) -> Result<()> {
        if self.cut.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "the database is away").temporary());
        }
        Ok(())
    }

    async fn write(&self) -> Result<()> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.pass().await
    }
}

#[async_trait]
impl OutboxStore for Faulty {
    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }

    fn wake_up(&self) -> WakeUp {
        // One for each view: a wake-up ends one wait, and this stands for another process.
        WakeUp::default()
    }

    async fn append(&self, messages: &[OutboxMessage]) -> Result<()> {
        self.inner.append(messages).await
    }

    async fn lease(
        &self,
        relay: &RelayId,
        held: &[PartitionLease],
        lease: Duration,
    ) -> Result<Leases> {
        self.pass().await?;
        self.inner.lease(relay, held, lease).await
    }

    async fn hand_back(&self, leases: &[PartitionLease]) -> Result<()> {
        self.pass().await?;
        self.inner.hand_back(leases).await
    }

    async fn leave(&self, relay: &RelayId) -> Result<()> {
        self.pass().await?;
        self.inner.leave(relay).await
    }

    async fn fetch(&self, fetch: Fetch<'_>) -> Result<Vec<OutboxRow>> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        self.pass().await?;
        self.inner.fetch(fetch).await
    }

    async fn published(
        &self,
        leases: &[PartitionLease],
        rows: &[RowId],
    ) -> Result<Vec<PartitionLease>> {
        self.write().await?;
        if self.loses_marks.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.inner.published(leases, rows).await
    }

    async fn failed(
        &self,
        leases: &[PartitionLease],
        failures: &[RowFailure],
    ) -> Result<Vec<PartitionLease>> {
        self.write().await?;
        self.inner.failed(leases, failures).await
    }

    async fn park(
        &self,
        leases: &[PartitionLease],
        failures: &[RowFailure],
    ) -> Result<Vec<PartitionLease>> {
        self.write().await?;
        self.inner.park(leases, failures).await
    }

    async fn parked(&self, after: Option<OrderKey>, limit: usize) -> Result<Vec<ParkedKey>> {
        self.inner.parked(after, limit).await
    }

    async fn unpark(&self, key: OrderKey, how: Unpark) -> Result<usize> {
        self.inner.unpark(key, how).await
    }

    async fn cleanup(&self, older_than: Duration, limit: usize) -> Result<usize> {
        self.pass().await?;
        self.inner.cleanup(older_than, limit).await
    }

    async fn stats(&self) -> Result<OutboxStats> {
        self.pass().await?;
        self.inner.stats().await
    }
}
