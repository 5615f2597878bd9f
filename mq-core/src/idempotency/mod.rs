//! Idempotency: a message that arrives twice is handled once.
//!
//! A key is *claimed* before the handler runs, so that of two concurrent deliveries never both run it, and *completed* after the
//! handler's outputs are confirmed.
//! A claim holds for a lease; a fencing token keeps a claimant that slept through its lease from completing what somebody else
//! is handling by then.
//!
//! There are two doors:
//! - [`IdempotencyStore`]: claim and completion are writes of their own. The handler's effects are elsewhere, so after a kill
//!   between effect and completion the handler runs again.
//! - [`TransactionalStore`]: the claim is part of the database transaction in which the handler writes; claim, writes and
//!   [outbox](crate::outbox) rows take effect together or not at all.
//!
//! # How a database keeps it
//! One table serves both doors: `(scope, key)` as primary key, both compared byte for byte; `token`; `done`; `until` (end of the
//! lease or of the window, by the database's clock); an index over `until` for the purge.
//! A call is one statement over all its keys, in the order of the keys so that two calls cannot deadlock:
//! - *claim*: one token is drawn for the call. Insert, or on conflict overwrite where `until` has passed; then read the rows
//!   back: what has the call's token is [`Claimed::Run`]. No `RETURNING` is needed, and repeating the statement with the same
//!   token after a lost connection finds its own claims again.
//! - *complete*, *renew*: update where key and token match, then read back which rows have the token. *release*: set `token` to 0
//!   and `until` to now, so that the claim is gone for ever. *purge*: delete by `until` in chunks.
//!
//! The decision record `idempotency-and-outbox` has the details for each database.

mod claim;
mod key;
mod memory;
mod source;
mod transaction;

pub use claim::{Claim, ClaimResult, ClaimTerms, ClaimToken, Claimed, Scope};
pub use key::IdempotencyKey;
pub use memory::MemoryIdempotencyStore;
pub use source::KeySource;
pub use transaction::{
    Begun, BegunKey, Lent, StoreTransaction, TransactionScope, TransactionalStore,
};

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;

/// Remembers which keys are being handled and which are done.
///
/// Called by the idempotency layer from many tasks and processes at once; each call carries a batch, a single message is a batch
/// of one.
/// The order for a key is: `claim`; while the handler runs, `renew` before the lease ends; then `complete` or `release`.
///
/// All methods of an implementation judge leases and windows by one clock, the store's own, so that the clocks of its callers
/// need not agree.
/// Answers come in the order of the arguments, one for each.
/// An empty batch is answered without asking anybody.
#[async_trait]
pub trait IdempotencyStore: Send + Sync + std::fmt::Debug {
    /// Claims keys for `lease`. Of any number of concurrent claims of one key, exactly one is [`Claimed::Run`].
    ///
    /// Where a key stands twice in `keys`, the first one may run and the later ones are [`Claimed::Busy`].
    /// When the future is dropped, any of the keys may have been claimed, and stay so until the lease ends.
    ///
    /// # Errors
    /// No key is known to be claimed; as with a dropped future, any may be. Temporary where the store is away.
    async fn claim(
        &self,
        scope: &Scope,
        keys: &[IdempotencyKey],
        lease: Duration,
    ) -> Result<Vec<Claimed>>;

    /// Completes claims: from now on, for `window`, their keys are [`Claimed::Done`].
    ///
    /// A claim whose lease has ended is completed all the same if nobody has taken it over; if somebody has, it is
    /// [`ClaimResult::Lost`].
    /// Repeating the call is harmless and gives the same answer.
    /// When the future is dropped, any of the claims may be completed.
    ///
    /// # Errors
    /// Any of the claims may be completed; repeat the call if the error is temporary.
    async fn complete(
        &self,
        scope: &Scope,
        claims: &[Claim],
        window: Duration,
    ) -> Result<Vec<ClaimResult>>;

    /// Gives claims back, so that their keys can be claimed at once. What is lost or completed stays as it is.
    ///
    /// When the future is dropped, any of the claims may be released; the others end with their lease.
    ///
    /// # Errors
    /// As for a dropped future.
    async fn release(&self, scope: &Scope, claims: &[Claim]) -> Result<()>;

    /// Makes claims hold for `lease` from now. A claim that has ended is renewed if nobody has taken it over.
    ///
    /// [`ClaimResult::Lost`] says that somebody else may be handling the message: the caller drops its handler.
    /// When the future is dropped, any of the claims may be renewed.
    ///
    /// # Errors
    /// Any of the claims may be renewed; repeat the call if the error is temporary.
    async fn renew(
        &self,
        scope: &Scope,
        claims: &[Claim],
        lease: Duration,
    ) -> Result<Vec<ClaimResult>>;

    /// Removes at most `limit` records, of any scope, whose window has ended or whose claim nobody came back for; returns how
    /// many.
    ///
    /// The framework calls this in the background until it returns less than `limit`.
    /// A claim that has ended stays for [`ABANDONED_CLAIMS_STAY`] more, so that a slow claimant can still complete it.
    /// When the future is dropped, any of the records may be removed.
    ///
    /// # Errors
    /// The store is away.
    async fn purge(&self, limit: usize) -> Result<usize>;

    /// The second door, where this store has one.
    fn transactional(&self) -> Option<&dyn TransactionalStore> {
        None
    }
}

/// How long a store keeps a claim whose lease has ended and that nobody has taken over.
pub const ABANDONED_CLAIMS_STAY: Duration = Duration::from_secs(3600);
