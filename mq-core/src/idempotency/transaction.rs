//! The door through which the user's own database transaction takes part.
//!
//! # How the idempotency layer drives it
//! 1. [`TransactionalStore::begin`] with the key of the delivery, or all keys of a batch. `Done` and `Busy` keys leave the batch
//!    here. Without a transaction there is nothing to run.
//! 2. [`TransactionScope::new`] around the transaction goes into the delivery's context (`Delivery::insert`); the extractor
//!    `Tx<Db>` reads it (`Delivery::get`), [borrows](TransactionScope::lend) the transaction, finds its own type through
//!    [`StoreTransaction::as_any_mut`], and gives it back when it is dropped.
//! 3. When the handler has ended, [`TransactionScope::end`] takes the transaction back. Success: the outputs are added with
//!    [`StoreTransaction::append`] and the transaction is committed; the layer's outcome then has no outputs of its own.
//!    Failure: it is rolled back. For single failed items of a batch, [`StoreTransaction::forget`] removes their claims before
//!    the commit (their writes stay, unless the handler undid them with a savepoint).
//! 4. After the commit the input is acknowledged. The store itself [wakes](crate::outbox::WakeUp) the relay.
//!
//! A scope that is dropped without all that rolls back.

use std::{
    any::Any,
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{ClaimTerms, IdempotencyKey, Scope};
use crate::{
    error::{Error, ErrorKind, Result},
    outbox::OutboxMessage,
};

/// A store whose claims are part of a database transaction of the user's.
#[async_trait]
pub trait TransactionalStore: Send + Sync + fmt::Debug {
    /// Opens one transaction and claims `keys` in it: for every key that is to run, the completed record is in the transaction
    /// already, and takes effect with its commit.
    ///
    /// A key that is claimed by an open transaction or through [`IdempotencyStore`](super::IdempotencyStore) is busy; no caller
    /// waits for the transaction of another one longer than about a second.
    /// Where a key stands twice in `keys`, the first one may run and the later ones are busy.
    /// There is no lease to renew: the database ends the claim with the connection. `terms.lease` is what a busy key is told to
    /// wait at most, and where the database can, the longest time that a transaction may stay idle.
    ///
    /// When the future is dropped, nothing is claimed.
    ///
    /// # Errors
    /// Nothing is claimed. Temporary where the database is away or has no free connection.
    async fn begin(
        &self,
        scope: &Scope,
        keys: &[IdempotencyKey],
        terms: ClaimTerms,
    ) -> Result<Begun>;
}

/// What [`TransactionalStore::begin`] found.
#[derive(Debug)]
pub struct Begun {
    /// The answer for each key, in order.
    pub keys: Vec<BegunKey>,
    /// The open transaction, which holds the claims of all keys that run; `None` if there are none.
    pub transaction: Option<Box<dyn StoreTransaction>>,
}

/// The answer for one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BegunKey {
    /// Handle the message in the transaction.
    Run,
    /// It was handled within the window: acknowledge the message without handling it.
    Done,
    /// Somebody else is handling it.
    Busy {
        /// When asking again is worth while; the other one may be done sooner.
        wait: Duration,
    },
}

/// An open database transaction with claims in it.
///
/// Dropping it rolls back.
#[async_trait]
pub trait StoreTransaction: Send + fmt::Debug {
    /// Adds messages to the outbox, in order; they become visible to the relay with the commit.
    ///
    /// # Errors
    /// The transaction cannot commit any more, or (for [`ErrorKind::TooLarge`]) the message does not fit.
    async fn append(&mut self, messages: &[OutboxMessage]) -> Result<()>;

    /// Takes claims out of the transaction: after the commit their keys can be claimed again.
    ///
    /// # Errors
    /// The transaction cannot commit any more.
    async fn forget(&mut self, keys: &[IdempotencyKey]) -> Result<()>;

    /// Commits claims, the user's writes and outbox rows.
    ///
    /// When the future is dropped, it is not known whether the commit took effect.
    ///
    /// # Errors
    /// It is not known whether the commit took effect, unless the error is permanent: then it did not.
    /// Either way the message is retried; if the commit took effect, its key is found done.
    async fn commit(self: Box<Self>) -> Result<()>;

    /// Undoes everything. When the future is dropped, the transaction is undone as well, later.
    ///
    /// # Errors
    /// The database could not be told; it finds out by itself.
    async fn rollback(self: Box<Self>) -> Result<()>;

    /// The transaction as the type that the store's own extractor knows.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

/// An open transaction in a delivery's context, to be lent to extractors. Cheap to clone; all clones are one scope.
#[derive(Clone, Debug)]
pub struct TransactionScope(Arc<Mutex<Slot>>);

#[derive(Debug)]
enum Slot {
    Here(Box<dyn StoreTransaction>),
    Lent,
    Ended,
}

impl TransactionScope {
    /// The scope of an open transaction.
    #[must_use]
    pub fn new(transaction: Box<dyn StoreTransaction>) -> Self {
        Self(Arc::new(Mutex::new(Slot::Here(transaction))))
    }

    /// Borrows the transaction until the returned guard is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: it is lent already. [`ErrorKind::Closed`]: the handler has ended.
    pub fn lend(&self) -> Result<Lent> {
        let mut slot = self.slot();
        match std::mem::replace(&mut *slot, Slot::Lent) {
            Slot::Here(transaction) => Ok(Lent {
                scope: self.clone(),
                transaction: Some(transaction),
            }),
            Slot::Lent => Err(Error::new(
                ErrorKind::Config,
                "the transaction is in use already; take one `Tx` in each listener",
            )),
            Slot::Ended => {
                *slot = Slot::Ended;
                Err(ended())
            }
        }
    }

    /// Ends the scope and takes the transaction back, to commit it or to roll it back. What is lent still is rolled back when
    /// it comes back.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: a task that outlives the handler holds the transaction; nothing of it takes effect.
    /// [`ErrorKind::Closed`]: the scope has ended before.
    pub fn end(&self) -> Result<Box<dyn StoreTransaction>> {
        match std::mem::replace(&mut *self.slot(), Slot::Ended) {
            Slot::Here(transaction) => Ok(transaction),
            Slot::Lent => Err(Error::new(
                ErrorKind::Config,
                "the transaction outlives its handler and is rolled back; drop `Tx` before the listener returns, or await the \
                 task that holds it",
            )),
            Slot::Ended => Err(ended()),
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Closed, "the handler's transaction has ended")
}

/// A borrowed transaction; dropping it gives the transaction back to its scope.
#[derive(Debug)]
pub struct Lent {
    scope: TransactionScope,
    /// `Some` until the guard is dropped.
    transaction: Option<Box<dyn StoreTransaction>>,
}

const LENT: &str = "the guard holds the transaction until it is dropped";

impl Deref for Lent {
    type Target = dyn StoreTransaction;

    fn deref(&self) -> &Self::Target {
        self.transaction.as_deref().expect(LENT)
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.transaction.as_deref_mut().expect(LENT)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut slot = self.scope.slot();
        if matches!(*slot, Slot::Lent)
            && let Some(transaction) = self.transaction.take()
        {
            *slot = Slot::Here(transaction);
        }
        // Otherwise the scope has ended: the transaction is dropped, which rolls back, after the lock.
        drop(slot);
    }
}
