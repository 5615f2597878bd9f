//! What has to wait after a failure: keys, and whole outputs.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::Duration,
};

use tokio::time::Instant;

use super::options::doubled;
use crate::outbox::OrderKey;

/// Keys that wait for their next attempt.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    keys: HashMap<OrderKey, Instant>,
    due: BinaryHeap<Reverse<(Instant, OrderKey)>>,
}

impl Blocked {
    pub(super) fn insert(&mut self, key: OrderKey, until: Instant) {
        self.keys.insert(key, until);
        self.due.push(Reverse((until, key)));
    }

    /// Lets keys go whose time has come.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(Reverse((until, key))) = self.due.peek().copied()
            && until <= now
        {
            self.due.pop();
            if self.keys.get(&key) == Some(&until) {
                self.keys.remove(&key);
            }
        }
    }

    /// When the next key is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((until, _))| *until)
    }

    pub(super) fn keys(&self) -> Vec<OrderKey> {
        self.keys.keys().copied().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// A pause that doubles with each failure in a row.
#[derive(Debug, Default)]
pub(super) struct Pause {
    failures: u32,
    until: Option<Instant>,
}

impl Pause {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(10);

    pub(super) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + doubled(Self::FIRST, self.failures, Self::LONGEST));
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Until when to wait, if that is not over.
    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_goes_when_its_last_wait_is_over() {
        let (mut blocked, now) = (Blocked::default(), Instant::now());
        let second = Duration::from_secs(1);
        blocked.insert(OrderKey(1), now + second);
        blocked.insert(OrderKey(1), now + second * 3);
        blocked.insert(OrderKey(2), now + second * 2);
        blocked.expire(now + second * 2);
        assert_eq!(blocked.keys(), [OrderKey(1)]);
        assert_eq!(blocked.next_due(), Some(now + second * 3));
        blocked.expire(now + second * 3);
        assert_eq!(blocked.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_grows_until_a_success() {
        let (mut pause, now) = (Pause::default(), Instant::now());
        let wait = |pause: &Pause| pause.until(now).map(|until| (until - now).as_millis());
        pause.failed(now);
        assert_eq!(wait(&pause), Some(100));
        for _ in 0..10 {
            pause.failed(now);
        }
        assert_eq!(wait(&pause), Some(10_000));
        pause.succeeded();
        assert_eq!(wait(&pause), None);
    }
}
