//! Transactions of the store in memory: claims and outbox rows that take effect together.

use std::{any::Any, collections::HashSet};

use async_trait::async_trait;

use super::MemoryIdempotencyStore;
use crate::{
    error::{Error, ErrorKind, Result},
    idempotency::{
        Begun, BegunKey, Claim, ClaimTerms, Claimed, IdempotencyKey, IdempotencyStore, Scope,
        StoreTransaction, TransactionalStore,
    },
    outbox::{MemoryOutboxTransaction, OutboxMessage},
};

/// Open transactions hold their keys as claims for `terms.lease`, because memory has no connection whose end would free them.
#[async_trait]
impl TransactionalStore for MemoryIdempotencyStore {
    async fn begin(
        &self,
        scope: &Scope,
        keys: &[IdempotencyKey],
        terms: ClaimTerms,
    ) -> Result<Begun> {
        let Some(outbox) = &self.outbox else {
            return Err(Error::new(
                ErrorKind::Config,
                "this store has no outbox, so it has no transactions; make it with `with_outbox`",
            ));
        };
        let answers = self.claim(scope, keys, terms.lease).await?;
        let begun = answers.iter().map(begun_key).collect();
        let claims: Vec<_> = answers.into_iter().filter_map(claim_of).collect();
        let transaction = (!claims.is_empty()).then(|| {
            Box::new(MemoryTransaction {
                store: self.clone(),
                scope: scope.clone(),
                claims,
                terms,
                rows: Some(outbox.begin()),
            }) as Box<dyn StoreTransaction>
        });
        Ok(Begun {
            keys: begun,
            transaction,
        })
    }
}

fn begun_key(answer: &Claimed) -> BegunKey {
    match answer {
        Claimed::Run(_) => BegunKey::Run,
        Claimed::Done => BegunKey::Done,
        Claimed::Busy { wait } => BegunKey::Busy { wait: *wait },
    }
}

fn claim_of(answer: Claimed) -> Option<Claim> {
    match answer {
        Claimed::Run(claim) => Some(claim),
        Claimed::Done | Claimed::Busy { .. } => None,
    }
}

/// Claims and rows of one transaction. Dropping it releases the claims and forgets the rows.
#[derive(Debug)]
struct MemoryTransaction {
    store: MemoryIdempotencyStore,
    scope: Scope,
    claims: Vec<Claim>,
    terms: ClaimTerms,
    /// `Some` until the commit.
    rows: Option<MemoryOutboxTransaction>,
}

impl MemoryTransaction {
    fn release(&self, claims: &[Claim]) {
        let (mut records, now) = (self.store.records(), self.store.clock.now());
        for claim in claims {
            records.release(&self.scope, claim, now);
        }
    }
}

#[async_trait]
impl StoreTransaction for MemoryTransaction {
    async fn append(&mut self, messages: &[OutboxMessage]) -> Result<()> {
        match &mut self.rows {
            Some(rows) => rows.append(messages),
            None => Ok(()),
        }
    }

    async fn forget(&mut self, keys: &[IdempotencyKey]) -> Result<()> {
        let keys: HashSet<_> = keys.iter().collect();
        let claims = std::mem::take(&mut self.claims);
        let (forgotten, kept): (Vec<_>, Vec<_>) = claims
            .into_iter()
            .partition(|claim| keys.contains(&claim.key));
        self.release(&forgotten);
        self.claims = kept;
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        {
            let (mut records, now) = (self.store.records(), self.store.clock.now());
            if !records.complete_all(&self.scope, &self.claims, now, self.terms.window) {
                return Err(Error::new(
                    ErrorKind::Lost,
                    "the transaction was open for longer than its lease, and somebody else has taken a key over",
                ));
            }
        }
        if let Some(rows) = self.rows.take() {
            rows.commit();
        }
        Ok(())
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        Ok(())
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl Drop for MemoryTransaction {
    fn drop(&mut self) {
        // After a commit the claims are completed, and a release leaves them alone.
        self.release(&self.claims);
    }
}
