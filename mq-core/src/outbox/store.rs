//! The contract of an outbox.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    Leases, OrderKey, OutboxMessage, OutboxRow, OutboxStats, ParkedKey, PartitionLease, RelayId,
    RowFailure, RowId, Unpark, WakeUp,
};
use crate::error::Result;

/// Which rows [`OutboxStore::fetch`] is to read.
#[derive(Clone, Copy, Debug)]
pub struct Fetch<'a> {
    /// For this output.
    pub output: &'a str,
    /// From these partitions, as long as their leases hold.
    pub leases: &'a [PartitionLease],
    /// None of these keys: they wait for their next attempt.
    pub skip: &'a [OrderKey],
    /// At most so many rows: 1 or more.
    pub rows: usize,
    /// No more rows once payloads and keys together have reached so many bytes.
    pub bytes: usize,
}

/// Keeps messages until they are published.
///
/// Rows are appended by users' transactions and published by a [`Relay`](super::Relay) in each process.
/// The key space is cut into partitions, and each partition belongs to one relay at a time, by lease; a settling call that comes
/// with a lease which another relay has taken over changes nothing and says so.
///
/// All methods judge leases and due times by one clock, the store's own.
/// Calls with nothing in them are answered without asking anybody.
/// Unless a method says otherwise: when its future is dropped or it fails, any part of the work may be done, and repeating the
/// call completes it; errors are temporary where the store is away.
#[async_trait]
pub trait OutboxStore: Send + Sync + std::fmt::Debug {
    /// How many partitions the key space has: 1 or more, and never another number while there are rows.
    fn partitions(&self) -> u16;

    /// Wakes relays of this process. The store does so itself after each commit that it sees.
    fn wake_up(&self) -> WakeUp;

    /// Appends messages in order, in a transaction of their own.
    ///
    /// When the future is dropped, all messages are appended or none.
    ///
    /// # Errors
    /// Temporary: it is not known whether the messages were appended; they may be appended again with the same ids.
    /// Permanent: none was appended, for instance because one is too large.
    async fn append(&self, messages: &[OutboxMessage]) -> Result<()>;

    /// Says that `relay` is alive, renews `held`, and takes free partitions until the relay has its [share](super::fair_share);
    /// returns what it holds then.
    ///
    /// A lease that has ended is renewed if nobody has taken the partition since, and keeps its fence.
    /// Free are partitions that nobody holds, those whose lease has ended, and those that the relay itself holds without naming
    /// them (an answer was lost). A partition that is taken gets a new fence.
    /// A relay that has not called for the time of its lease counts as dead.
    ///
    /// # Errors
    /// The store is away; the leases end if no later call renews them.
    async fn lease(
        &self,
        relay: &RelayId,
        held: &[PartitionLease],
        lease: Duration,
    ) -> Result<Leases>;

    /// Gives partitions back, so that other relays can take them at once. What is lost already is left alone.
    async fn hand_back(&self, leases: &[PartitionLease]) -> Result<()>;

    /// Says that the relay is gone and gives back whatever it holds.
    async fn leave(&self, relay: &RelayId) -> Result<()>;

    /// Reads rows that are neither published nor parked: of each partition the first ones, in the order of their numbers.
    ///
    /// Reads what is committed, whatever its number: a row that commits late is found by the next call, and none is ever passed
    /// over. Rows that wait for their next attempt are returned too, with the time that is left.
    /// Rows of a partition whose lease is lost are not returned.
    async fn fetch(&self, fetch: Fetch<'_>) -> Result<Vec<OutboxRow>>;

    /// Marks rows as published; returns the leases that are lost, whose rows stay as they are.
    ///
    /// Rows that are marked already, and rows of partitions that are not among `leases`, are left alone.
    async fn published(
        &self,
        leases: &[PartitionLease],
        rows: &[RowId],
    ) -> Result<Vec<PartitionLease>>;

    /// Writes down failed attempts; returns the leases that are lost, whose rows stay as they are.
    async fn failed(
        &self,
        leases: &[PartitionLease],
        failures: &[RowFailure],
    ) -> Result<Vec<PartitionLease>>;

    /// Parks the keys of these rows: neither they nor later rows of their keys are fetched until somebody unparks the key.
    /// Returns the leases that are lost, whose rows stay as they are.
    async fn park(
        &self,
        leases: &[PartitionLease],
        failures: &[RowFailure],
    ) -> Result<Vec<PartitionLease>>;

    /// The parked keys after `after`, in the order of keys; at most `limit`.
    async fn parked(&self, after: Option<OrderKey>, limit: usize) -> Result<Vec<ParkedKey>>;

    /// Publishes a parked key again, and wakes the relay; returns how many rows were waiting, 0 if the key is not parked.
    async fn unpark(&self, key: OrderKey, how: Unpark) -> Result<usize>;

    /// Removes at most `limit` rows that were published longer than `older_than` ago; returns how many.
    ///
    /// Relays call it in the background until it returns less than `limit`. A store that removes rows when they are published
    /// has nothing to do here.
    async fn cleanup(&self, older_than: Duration, limit: usize) -> Result<usize>;

    /// How the outbox is.
    async fn stats(&self) -> Result<OutboxStats>;
}
