//! Clients of administration that are kept for a while: connecting costs more than asking.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::client::Plain;

/// Clients that wait for the next question.
const IDLE: usize = 16;
/// Clients that nobody asks are closed after this time.
const KEEP: Duration = Duration::from_secs(30);

struct Idle {
    name: String,
    client: Plain,
    since: Instant,
}

/// Idle clients, by what they are for.
#[derive(Default)]
pub(crate) struct Pool(Mutex<Vec<Idle>>);

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pool").field(&self.lock().len()).finish()
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client with this name, if one waits.
    pub(super) fn take(&self, name: &str) -> Option<Plain> {
        let mut idle = self.lock();
        let index = idle.iter().position(|one| one.name == name)?;
        Some(idle.remove(index).client)
    }

    /// Keeps a client for the next question; the one that has waited longest makes room.
    pub(super) fn put(&self, name: &str, client: Plain) {
        let mut idle = self.lock();
        let oldest = (idle.len() >= IDLE).then(|| idle.remove(0));
        idle.push(Idle {
            name: name.to_owned(),
            client,
            since: Instant::now(),
        });
        drop(idle);
        drop(oldest);
    }

    /// Serves the log of those that wait, and closes those that have waited for long.
    pub(crate) fn sweep(&self) {
        let mut idle = self.lock();
        let (old, rest) = std::mem::take(&mut *idle)
            .into_iter()
            .partition(|one| one.since.elapsed() > KEEP);
        *idle = rest;
        for one in &*idle {
            drop(one.client.poll(Duration::ZERO));
        }
        drop(idle);
        let old: Vec<Idle> = old;
        drop(old);
    }

    /// Closes all of them.
    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.lock());
        drop(all);
    }
}
