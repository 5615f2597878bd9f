//! What the store in memory remembers, and when it forgets.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap, hash_map},
    time::Duration,
};

use foldhash::fast::RandomState;
use tokio::time::Instant;

use super::super::{
    ABANDONED_CLAIMS_STAY, Claim, ClaimResult, ClaimToken, Claimed, IdempotencyKey, Scope,
};

/// Records by scope and key.
///
/// Each record has exactly one entry in `due`, which may come too early: purging then looks at the record and enters it again.
/// So a change of a record costs no change of the heap.
#[derive(Debug, Default)]
pub(super) struct Records {
    records: HashMap<Place, Record, RandomState>,
    due: BinaryHeap<Reverse<Due>>,
    last_token: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    scope: Scope,
    key: IdempotencyKey,
}

#[derive(Debug)]
struct Record {
    token: ClaimToken,
    state: State,
    /// The end of the lease or of the window.
    until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Claimed,
    Released,
    Done,
}

impl Records {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// How many of the keys have no record.
    pub(super) fn missing(&self, scope: &Scope, keys: &[IdempotencyKey]) -> usize {
        let missing = |key: &&IdempotencyKey| !self.records.contains_key(&place(scope, key));
        keys.iter().filter(missing).count()
    }

    pub(super) fn claim(
        &mut self,
        scope: &Scope,
        key: &IdempotencyKey,
        now: Instant,
        lease: Duration,
    ) -> Claimed {
        let until = after(now, lease);
        let token = ClaimToken(self.last_token + 1);
        let fresh = Record {
            token,
            state: State::Claimed,
            until,
        };
        match self.records.entry(place(scope, &key.detached())) {
            hash_map::Entry::Occupied(mut entry) => {
                if let Some(answer) = entry.get().refusal(now) {
                    return answer;
                }
                entry.insert(fresh);
            }
            hash_map::Entry::Vacant(entry) => {
                self.due.push(Reverse(Due {
                    at: until,
                    place: entry.key().clone(),
                }));
                entry.insert(fresh);
            }
        }
        self.last_token = token.0;
        Claimed::Run(Claim {
            key: key.clone(),
            token,
        })
    }

    pub(super) fn complete(
        &mut self,
        scope: &Scope,
        claim: &Claim,
        now: Instant,
        window: Duration,
    ) -> ClaimResult {
        match self.held(scope, claim) {
            Some(record) if record.state == State::Released => ClaimResult::Lost,
            Some(record) => {
                if record.state == State::Claimed {
                    record.state = State::Done;
                    record.until = after(now, window);
                }
                ClaimResult::Applied
            }
            None => ClaimResult::Lost,
        }
    }

    /// Completes all claims, or none if one of them is lost; returns whether it did.
    pub(super) fn complete_all(
        &mut self,
        scope: &Scope,
        claims: &[Claim],
        now: Instant,
        window: Duration,
    ) -> bool {
        let all_held = claims.iter().all(|claim| {
            self.held(scope, claim)
                .is_some_and(|record| record.state != State::Released)
        });
        if all_held {
            for claim in claims {
                self.complete(scope, claim, now, window);
            }
        }
        all_held
    }

    pub(super) fn release(&mut self, scope: &Scope, claim: &Claim, now: Instant) {
        if let Some(record) = self.held(scope, claim)
            && record.state == State::Claimed
        {
            record.state = State::Released;
            record.until = now;
        }
    }

    pub(super) fn renew(
        &mut self,
        scope: &Scope,
        claim: &Claim,
        now: Instant,
        lease: Duration,
    ) -> ClaimResult {
        match self.held(scope, claim) {
            Some(record) if record.state == State::Claimed => {
                record.until = after(now, lease);
                ClaimResult::Applied
            }
            _ => ClaimResult::Lost,
        }
    }

    /// Removes at most `limit` records that are of no use any more; returns how many.
    pub(super) fn purge(&mut self, now: Instant, limit: usize) -> usize {
        let mut removed = 0;
        while removed < limit
            && let Some(due) = self.due.peek().filter(|Reverse(due)| due.at <= now)
        {
            let useless_at = self.records.get(&due.0.place).map(Record::useless_at);
            let Some(Reverse(due)) = self.due.pop() else {
                break;
            };
            match useless_at {
                Some(at) if at > now => self.due.push(Reverse(Due { at, ..due })),
                _ => {
                    self.records.remove(&due.place);
                    removed += 1;
                }
            }
        }
        removed
    }

    /// The record, if this claim of it is the last one.
    fn held(&mut self, scope: &Scope, claim: &Claim) -> Option<&mut Record> {
        self.records
            .get_mut(&place(scope, &claim.key))
            .filter(|record| record.token == claim.token)
    }
}

impl Record {
    /// The answer to somebody who claims the key now; `None` if it can be taken.
    fn refusal(&self, now: Instant) -> Option<Claimed> {
        match self.state {
            State::Released => None,
            _ if self.until <= now => None,
            State::Done => Some(Claimed::Done),
            State::Claimed => Some(Claimed::Busy {
                wait: self.until - now,
            }),
        }
    }

    fn useless_at(&self) -> Instant {
        match self.state {
            State::Claimed => after(self.until, ABANDONED_CLAIMS_STAY),
            State::Released | State::Done => self.until,
        }
    }
}

fn place(scope: &Scope, key: &IdempotencyKey) -> Place {
    Place {
        scope: scope.clone(),
        key: key.clone(),
    }
}

/// `now` plus `duration`; thirty years later where that is beyond what the clock can say.
fn after(now: Instant, duration: Duration) -> Instant {
    const LONG: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    now + duration.min(LONG)
}

/// Ordered by time alone.
#[derive(Debug)]
struct Due {
    at: Instant,
    place: Place,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}
