//! The broker behind the binder: destinations, groups and who reads what, under one lock.

mod destination;
mod group;
mod keys;
mod log;
mod member;
mod positions;
mod publish;
mod queue;
mod receive;
mod settle;
mod slot;
mod state;
mod subscribe;
mod take;

pub(crate) use destination::Destination;
pub(crate) use member::MemberKey;
pub(crate) use publish::{Stored, WISHES};
pub(crate) use receive::Received;
pub(crate) use state::State;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mq_core::clock::Clock;
use tokio::time::Instant;

use crate::options::Options;

/// The broker.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    state: Mutex<State>,
}

impl Broker {
    pub(crate) fn new(options: Options, clock: Clock) -> Self {
        Self { options, clock, state: Mutex::default() }
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

/// What is farther away than this is as good as never.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// `wait` after `now`, without overflow.
pub(crate) fn later(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait.min(FAR)).unwrap_or(now)
}
