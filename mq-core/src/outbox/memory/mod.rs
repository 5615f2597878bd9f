//! The outbox in memory: for tests, and for services without a database whose outputs may wait for a broker.

mod state;
mod transaction;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use self::state::State;
pub use self::transaction::MemoryOutboxTransaction;
use super::{
    Fetch, Leases, OrderKey, OutboxMessage, OutboxRow, OutboxStats, OutboxStore, ParkedKey,
    PartitionLease, RelayId, RowFailure, RowId, Unpark, WakeUp,
};
use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
};

/// Keeps rows in memory. Cheap to clone; all clones are one outbox, which forgets everything when the process ends.
///
/// Rows are removed when they are published.
/// When the limit is reached, messages are refused ([`ErrorKind::Full`], temporary).
/// Every method ends at its first poll, so a call that was polled has happened as a whole.
#[derive(Clone, Debug)]
pub struct MemoryOutbox {
    clock: Clock,
    limit: usize,
    partitions: u16,
    wake_up: WakeUp,
    state: Arc<Mutex<State>>,
}

impl MemoryOutbox {
    /// How many partitions there are by default.
    pub const DEFAULT_PARTITIONS: u16 = 16;
    /// How many rows are kept by default.
    pub const DEFAULT_LIMIT: usize = 1_000_000;

    /// An empty outbox with 16 partitions.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::with_partitions(clock, Self::DEFAULT_PARTITIONS)
    }

    /// An empty outbox with this number of partitions: 1 or more.
    #[must_use]
    pub fn with_partitions(clock: Clock, partitions: u16) -> Self {
        let partitions = partitions.max(1);
        Self {
            clock,
            limit: Self::DEFAULT_LIMIT,
            partitions,
            wake_up: WakeUp::default(),
            state: Arc::new(Mutex::new(State::new(partitions))),
        }
    }

    /// Sets how many rows are kept at most, parked ones and those of open transactions included: 1,000,000 by default.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Opens a transaction.
    #[must_use]
    pub fn begin(&self) -> MemoryOutboxTransaction {
        MemoryOutboxTransaction::new(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn full(&self) -> Error {
        Error::new(
            ErrorKind::Full,
            "the outbox in memory is full; see why the relay does not publish, or raise its limit",
        )
        .temporary()
        .operation("OutboxStore::append")
        .context("limit", self.limit)
    }
}

impl Default for MemoryOutbox {
    fn default() -> Self {
        Self::new(Clock::system())
    }
}

#[async_trait]
impl OutboxStore for MemoryOutbox {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn wake_up(&self) -> WakeUp {
        self.wake_up.clone()
    }

    async fn append(&self, messages: &[OutboxMessage]) -> Result<()> {
        let mut transaction = self.begin();
        transaction.append(messages)?;
        transaction.commit();
        Ok(())
    }

    async fn lease(
        &self,
        relay: &RelayId,
        held: &[PartitionLease],
        lease: Duration,
    ) -> Result<Leases> {
        Ok(self.state().lease(relay, held, self.clock.now(), lease))
    }

    async fn hand_back(&self, leases: &[PartitionLease]) -> Result<()> {
        self.state().hand_back(leases);
        Ok(())
    }

    async fn leave(&self, relay: &RelayId) -> Result<()> {
        self.state().leave(relay);
        Ok(())
    }

    async fn fetch(&self, fetch: Fetch<'_>) -> Result<Vec<OutboxRow>> {
        Ok(self.state().fetch(fetch, self.clock.now()))
    }

    async fn published(
        &self,
        leases: &[PartitionLease],
        rows: &[RowId],
    ) -> Result<Vec<PartitionLease>> {
        Ok(self.state().published(leases, rows))
    }

    async fn failed(
        &self,
        leases: &[PartitionLease],
        failures: &[RowFailure],
    ) -> Result<Vec<PartitionLease>> {
        Ok(self.state().failed(leases, failures, self.clock.now()))
    }

    async fn park(
        &self,
        leases: &[PartitionLease],
        failures: &[RowFailure],
    ) -> Result<Vec<PartitionLease>> {
        Ok(self.state().park(leases, failures, self.clock.wall()))
    }

    async fn parked(&self, after: Option<OrderKey>, limit: usize) -> Result<Vec<ParkedKey>> {
        Ok(self.state().parked(after, limit))
    }

    async fn unpark(&self, key: OrderKey, how: Unpark) -> Result<usize> {
        let rows = self.state().unpark(key, how, self.clock.now());
        if rows > 0 {
            self.wake_up.wake();
        }
        Ok(rows)
    }

    async fn cleanup(&self, _older_than: Duration, _limit: usize) -> Result<usize> {
        Ok(0)
    }

    async fn stats(&self) -> Result<OutboxStats> {
        Ok(self.state().stats(self.clock.now()))
    }
}
