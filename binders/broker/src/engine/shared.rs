//! What all parts of a running broker share.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        mpsc::{SyncSender, sync_channel},
    },
};

use mq_core::error::{Error, Result};

use super::{
    bodies::Bodies,
    clock::Clock,
    commit::{Gather, Ticket},
    keeper::News,
    room::Room,
};
use crate::{
    error,
    journal::{Pool, SEGMENT_HEADER, Segments},
    options::{BrokerOptions, DestinationOptions, Durability, MAX_PARTITIONS},
    record::Change,
    state::{Route, State},
    storage::Storage,
};

/// A running broker.
pub(crate) struct Shared {
    pub(crate) options: BrokerOptions,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) segments: Arc<Segments>,
    pub(super) pool: Arc<Pool>,
    pub(super) bodies: Bodies,
    pub(super) gather: Gather,
    pub(crate) clock: Clock,
    state: Mutex<State>,
    routes: RwLock<HashMap<Arc<str>, Arc<Route>>>,
    /// Why the broker does not work any more.
    failure: OnceLock<String>,
    /// Where the journal ended when it was opened, and the state then, where that is asked for.
    pub(crate) opened: Option<(u64, Vec<u8>)>,
    /// How much room the disk has.
    pub(crate) room: Room,
    /// Tells the keeper that there may be something to do.
    pub(super) keeper: SyncSender<News>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("options", &self.options)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(
        options: BrokerOptions,
        storage: Arc<dyn Storage>,
        segments: Arc<Segments>,
        pool: Arc<Pool>,
        state: State,
        keeper: SyncSender<News>,
    ) -> Self {
        let opened = options.is_inspected.then(|| (state.lsn, state.snapshot()));
        let capacity = segments.size() - SEGMENT_HEADER;
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        Self {
            bodies: Bodies::new(segments.clone(), options.memory),
            clock: Clock::new(options.time.clone(), state.time, state.ahead),
            room: Room::new(options.reserve, options.slow_below),
            options,
            storage,
            segments,
            pool,
            gather: Gather::new(capacity),
            state: Mutex::new(state),
            routes: RwLock::default(),
            failure: OnceLock::new(),
            opened,
            keeper,
        }
    }

    /// The state.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the keeper write a snapshot and take back what it can; blocks until it is there.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        let (sender, answer) = sync_channel(1);
        let sent = self.keeper.send(News::Checkpoint(sender));
        sent.map_err(|_| self.refusal(error::closed()))?;
        let written = answer.recv().map_err(|_| self.refusal(error::closed()))?;
        written.map_err(|error| self.refusal(error::io("writing a snapshot", error)))
    }

    /// The broker does not work any more.
    pub(super) fn fail(&self, reason: &str) {
        // The first reason counts.
        let _known = self.failure.set(reason.to_owned());
        self.gather.close();
        self.lock().end_all();
    }

    /// Why the broker does not work any more.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Whether the broker works.
    pub(crate) fn check(&self) -> Result<()> {
        match self.failure() {
            Some(reason) => Err(error::poisoned(reason)),
            None if self.gather.is_closed() => Err(error::closed()),
            None => Ok(()),
        }
    }

    /// Why a write was refused.
    pub(super) fn refusal(&self, error: Error) -> Error {
        self.check().err().unwrap_or(error)
    }

    /// Writes changes that take effect together.
    pub(crate) fn write(&self, changes: &[Change], durability: Durability) -> Result<Ticket> {
        let ticket = self.gather.write(|frame| {
            for change in changes {
                change.encode(&mut frame.buffer);
            }
            frame.count(0, changes.len());
            frame.need(durability);
        });
        ticket.map_err(|error| self.refusal(error))
    }

    /// Writes changes and waits until they have taken effect.
    pub(crate) async fn change(&self, changes: &[Change]) -> Result<()> {
        self.write(changes, Durability::Commit)?.wait().await?;
        Ok(())
    }

    /// What publishers need of a destination, which is created where that is allowed.
    pub(crate) async fn route(&self, name: &str) -> Result<Arc<Route>> {
        if let Some(route) = self.known_route(name) {
            return Ok(route);
        }
        if !self.options.auto_create && self.lock().route(name).is_none() {
            return Err(error::no_destination(name));
        }
        self.create(name, self.options.of(name)).await
    }

    /// The same, if it is there.
    pub(crate) fn known_route(&self, name: &str) -> Option<Arc<Route>> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.get(name).cloned()
    }

    /// Creates a destination unless it is there.
    pub(crate) async fn create(
        &self,
        name: &str,
        options: &DestinationOptions,
    ) -> Result<Arc<Route>> {
        check_destination(name, options)?;
        let id = {
            let mut state = self.lock();
            match state.route(name) {
                Some(route) => {
                    drop(state);
                    return Ok(self.remember(route));
                }
                None => state.next_destination(),
            }
        };
        let (name, options) = (name.to_owned(), options.clone());
        let in_memory = options.durability == Durability::Memory;
        let change = Change::Destination {
            id,
            name: name.clone(),
            options,
        };
        self.change(&[change]).await?;
        if in_memory {
            tracing::warn!(
                destination = name,
                "the destination is in memory: its messages are lost when the process ends"
            );
        }
        let route = self.lock().route(&name);
        // Somebody may have deleted it again in between.
        Ok(self.remember(route.ok_or_else(|| error::no_destination(&name))?))
    }

    pub(super) fn remember(&self, route: Arc<Route>) -> Arc<Route> {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.insert(route.name.clone(), route.clone());
        route
    }

    /// A destination is gone, or will be.
    pub(crate) fn forget_route(&self, name: &str) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.remove(name);
    }
}

pub(super) fn check_destination(name: &str, options: &DestinationOptions) -> Result<()> {
    if name.is_empty() || name.len() > 255 || name.chars().any(char::is_control) {
        return Err(error::config(
            "a destination's name has 1 to 255 bytes and no control characters",
        )
        .context("destination", name.escape_debug()));
    }
    if options.max_age.is_some_and(|age| age.is_zero()) {
        return Err(error::config(
            "a destination cannot keep messages for no time; leave `max_age` away, or say how long",
        )
        .context("destination", name));
    }
    if options.partitions == 0 || options.partitions > MAX_PARTITIONS {
        return Err(
            error::config("a destination has 1 to 4,096 partitions; change `partitions`")
                .context("destination", name)
                .context("partitions", options.partitions),
        );
    }
    Ok(())
}
