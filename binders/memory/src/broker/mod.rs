//! The broker behind the binder: destinations, groups and who reads what, under one lock.

mod log;

mod keys;
mod queue;
mod slot;
mod take;
mod track;

mod destination;
mod group;
mod member;
mod state;

mod assignment;
mod bury;
mod commit;
mod inspect;
mod loss;
mod provision;
mod publish;
mod receive;
mod seek;
mod settle;
mod subscribe;
mod transact;

pub(crate) use member::{Ended, MemberKey};
pub(crate) use publish::{Stored, WISHES};
pub(crate) use receive::Received;
pub(crate) use state::State;
pub(crate) use subscribe::Joining;
pub(crate) use transact::Committed;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mq_core::clock::Clock;
use tokio::time::Instant;

use crate::{faults::Trouble, options::Options};

/// The broker.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) trouble: Trouble,
    state: Mutex<State>,
}

impl Broker {
    pub(crate) fn new(options: Options, clock: Clock) -> Self {
        Self {
            options,
            clock,
            trouble: Trouble::default(),
            state: Mutex::default(),
        }
    }

    /// Guards memory only: nobody waits for anything while holding it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wall time in nanoseconds since the Unix epoch.
    pub(crate) fn stamp(&self) -> u64 {
        log::nanos(self.clock.wall())
    }
}

/// A number of partitions, lanes or consumers: there are fewer than 2^32 of each, for they are all in memory.
pub(crate) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// What is farther away than this is as good as never.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// `wait` after `now`, without overflow.
pub(crate) fn later(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait.min(FAR)).unwrap_or(now)
}
