//! A store in which a claim becomes permanent and its effect is written in one step.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use foldhash::fast::RandomState;
use mq::error::Result;
use mq::idempotency::{
    Claim, ClaimResult, ClaimToken, Claimed, IdempotencyKey, IdempotencyStore, Scope,
};
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

use super::plan::Work;
use crate::history::{Entry, Id, Log};

/// What a service remembers of the messages it has handled; shared by the members of a service in one process.
///
/// The effects in the logs are what is remembered for good: with what they say a new process begins.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    claims: HashMap<u128, Claimant, RandomState>,
    /// What each member has claimed and slept too long over.
    taken_over: HashSet<(u128, u64), RandomState>,
    done: HashMap<u128, ClaimToken, RandomState>,
    /// Effects that earlier processes wrote.
    before: HashSet<Id, RandomState>,
    last: u64,
}

#[derive(Debug)]
struct Claimant {
    token: ClaimToken,
    member: u64,
    until: Instant,
    /// What is written when the claim becomes permanent.
    staged: Option<Entry>,
}

impl Ledger {
    /// An effect that an earlier process wrote.
    pub(super) fn remember(&mut self, effect: Id) {
        let rows = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        rows.before.insert(effect);
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ledger as one member of the service has it.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) ledger: Arc<Ledger>,
    pub(super) member: u64,
    pub(super) log: Arc<Log>,
}

impl Desk {
    /// The effect of a handler that runs for this key: it lands when the claim becomes permanent.
    ///
    /// A handler that has no claim has its effect at once, so that it is counted; unless it had one and slept too long.
    pub(super) fn stage(&self, scope: &Scope, key: &IdempotencyKey, entry: Entry) -> Result<()> {
        let (place, mut rows) = (place(scope, key), self.ledger.rows());
        let claimant = rows.claims.get_mut(&place);
        if let Some(claimant) = claimant.filter(|claimant| claimant.member == self.member) {
            claimant.staged = Some(entry);
            return Ok(());
        }
        if rows.taken_over.contains(&(place, self.member)) {
            return Ok(());
        }
        self.log.append(entry)
    }
}

impl Rows {
    fn claim(
        &mut self,
        place: u128,
        key: &IdempotencyKey,
        member: u64,
        lease: Duration,
    ) -> Claimed {
        let now = Instant::now();
        if self.done.contains_key(&place) || self.knows(key) {
            return Claimed::Done;
        }
        if let Some(old) = self.claims.get(&place) {
            if old.until > now {
                return Claimed::Busy {
                    wait: old.until - now,
                };
            }
            self.taken_over.insert((place, old.member));
        }
        self.last += 1;
        let claimant = Claimant {
            token: ClaimToken(self.last),
            member,
            until: now + lease,
            staged: None,
        };
        let token = claimant.token;
        self.claims.insert(place, claimant);
        Claimed::Run(Claim {
            key: key.clone(),
            token,
        })
    }

    /// Whether an earlier process wrote the effect.
    fn knows(&self, key: &IdempotencyKey) -> bool {
        if self.before.is_empty() {
            return false;
        }
        let name = String::from_utf8(key.to_bytes().to_vec());
        let work = name.ok().and_then(|name| Work::named(&name));
        work.is_some_and(|work| self.before.contains(&work.id()))
    }

    fn complete(&mut self, place: u128, token: ClaimToken, log: &Log) -> Result<ClaimResult> {
        let Some(claimant) = self.held(place, token) else {
            let is_done = self.done.get(&place) == Some(&token);
            return Ok(if is_done {
                ClaimResult::Applied
            } else {
                ClaimResult::Lost
            });
        };
        if let Some(entry) = claimant.staged {
            log.append(entry)?;
        }
        self.claims.remove(&place);
        self.done.insert(place, token);
        Ok(ClaimResult::Applied)
    }

    fn held(&mut self, place: u128, token: ClaimToken) -> Option<&mut Claimant> {
        let claimant = self.claims.get_mut(&place);
        claimant.filter(|claimant| claimant.token == token)
    }
}

fn place(scope: &Scope, key: &IdempotencyKey) -> u128 {
    let mut bytes = scope.as_str().as_bytes().to_vec();
    bytes.push(0);
    bytes.extend_from_slice(&key.to_bytes());
    xxh3_128(&bytes)
}

#[async_trait]
impl IdempotencyStore for Desk {
    async fn claim(
        &self,
        scope: &Scope,
        keys: &[IdempotencyKey],
        lease: Duration,
    ) -> Result<Vec<Claimed>> {
        let mut rows = self.ledger.rows();
        let claims = keys
            .iter()
            .map(|key| rows.claim(place(scope, key), key, self.member, lease));
        Ok(claims.collect())
    }

    async fn complete(
        &self,
        scope: &Scope,
        claims: &[Claim],
        _: Duration,
    ) -> Result<Vec<ClaimResult>> {
        let mut rows = self.ledger.rows();
        let complete =
            |claim: &Claim| rows.complete(place(scope, &claim.key), claim.token, &self.log);
        claims.iter().map(complete).collect()
    }

    async fn release(&self, scope: &Scope, claims: &[Claim]) -> Result<()> {
        let mut rows = self.ledger.rows();
        for claim in claims {
            let place = place(scope, &claim.key);
            if rows.held(place, claim.token).is_some() {
                rows.claims.remove(&place);
            }
        }
        Ok(())
    }

    async fn renew(
        &self,
        scope: &Scope,
        claims: &[Claim],
        lease: Duration,
    ) -> Result<Vec<ClaimResult>> {
        let (mut rows, until) = (self.ledger.rows(), Instant::now() + lease);
        let renew = |claim: &Claim| match rows.held(place(scope, &claim.key), claim.token) {
            Some(claimant) => {
                claimant.until = until;
                ClaimResult::Applied
            }
            None => ClaimResult::Lost,
        };
        Ok(claims.iter().map(renew).collect())
    }

    async fn purge(&self, _: usize) -> Result<usize> {
        Ok(0)
    }
}
