//! The store in memory: for tests, and for services of one process that can live with forgetting at a restart.

mod records;
mod transaction;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use self::records::Records;
use super::{
    Claim, ClaimResult, Claimed, IdempotencyKey, IdempotencyStore, Scope, TransactionalStore,
};
use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    outbox::MemoryOutbox,
};

/// Remembers keys in memory. Cheap to clone; all clones are one store.
///
/// A key takes about 300 bytes.
/// When the limit is reached and nothing has expired, new keys are refused ([`ErrorKind::Full`], temporary) rather than old ones
/// forgotten before their time: their messages wait.
///
/// Every method ends at its first poll, so a call that was polled has happened as a whole.
#[derive(Clone, Debug)]
pub struct MemoryIdempotencyStore {
    clock: Clock,
    limit: usize,
    records: Arc<Mutex<Records>>,
    outbox: Option<MemoryOutbox>,
}

impl MemoryIdempotencyStore {
    /// How many keys are remembered by default.
    pub const DEFAULT_LIMIT: usize = 1_000_000;

    /// An empty store.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            limit: Self::DEFAULT_LIMIT,
            records: Arc::default(),
            outbox: None,
        }
    }

    /// The same store with [transactions](TransactionalStore), whose rows go into this outbox.
    #[must_use]
    pub fn with_outbox(mut self, outbox: MemoryOutbox) -> Self {
        self.outbox = Some(outbox);
        self
    }

    /// Sets how many keys are remembered at most: 1 or more, 1,000,000 by default.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.max(1);
        self
    }

    /// How many keys are remembered now, claimed ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records().len()
    }

    /// Whether no key is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make_room(
        &self,
        records: &mut Records,
        scope: &Scope,
        keys: &[IdempotencyKey],
    ) -> Result<()> {
        let now = self.clock.now();
        // Twice as many as can be added: the store shrinks while it is used.
        records.purge(now, keys.len().saturating_mul(2).saturating_add(16));
        let fits = |records: &Records| records.len() + records.missing(scope, keys) <= self.limit;
        if fits(records) || (records.purge(now, usize::MAX) > 0 && fits(records)) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Full,
            "the idempotency store in memory is full; shorten `ttl`, raise its limit, or use a database",
        )
        .temporary()
        .operation("IdempotencyStore::claim")
        .context("limit", self.limit))
    }
}

impl Default for MemoryIdempotencyStore {
    fn default() -> Self {
        Self::new(Clock::system())
    }
}

#[async_trait]
impl IdempotencyStore for MemoryIdempotencyStore {
    async fn claim(
        &self,
        scope: &Scope,
        keys: &[IdempotencyKey],
        lease: Duration,
    ) -> Result<Vec<Claimed>> {
        let mut records = self.records();
        self.make_room(&mut records, scope, keys)?;
        let now = self.clock.now();
        Ok(keys
            .iter()
            .map(|key| records.claim(scope, key, now, lease))
            .collect())
    }

    async fn complete(
        &self,
        scope: &Scope,
        claims: &[Claim],
        window: Duration,
    ) -> Result<Vec<ClaimResult>> {
        let (mut records, now) = (self.records(), self.clock.now());
        Ok(claims
            .iter()
            .map(|claim| records.complete(scope, claim, now, window))
            .collect())
    }

    async fn release(&self, scope: &Scope, claims: &[Claim]) -> Result<()> {
        let (mut records, now) = (self.records(), self.clock.now());
        for claim in claims {
            records.release(scope, claim, now);
        }
        Ok(())
    }

    async fn renew(
        &self,
        scope: &Scope,
        claims: &[Claim],
        lease: Duration,
    ) -> Result<Vec<ClaimResult>> {
        let (mut records, now) = (self.records(), self.clock.now());
        Ok(claims
            .iter()
            .map(|claim| records.renew(scope, claim, now, lease))
            .collect())
    }

    async fn purge(&self, limit: usize) -> Result<usize> {
        let (mut records, now) = (self.records(), self.clock.now());
        Ok(records.purge(now, limit))
    }

    fn transactional(&self) -> Option<&dyn TransactionalStore> {
        self.outbox.is_some().then_some(self as _)
    }
}
