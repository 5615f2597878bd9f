//! What the loop's side and the thread's side of a consumer share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mq_core::{binder::LaneId, error::Result};
use rdkafka::consumer::BaseConsumer;
use tokio::sync::oneshot;

use super::{Lanes, Rebalances, commits::Commits, queue::Queue};
use crate::client::{Context, Link};

/// The client of a consumer.
pub(crate) type Client = BaseConsumer<Context<Rebalances>>;

/// What the loop asks of the thread.
#[derive(Debug)]
pub(crate) enum Command {
    Released {
        lanes: Vec<LaneId>,
        reply: oneshot::Sender<Result<()>>,
    },
    Pause {
        lanes: Vec<LaneId>,
        reply: oneshot::Sender<Result<()>>,
    },
    Resume {
        lanes: Vec<LaneId>,
        reply: oneshot::Sender<Result<()>>,
    },
    Seek {
        lane: LaneId,
        position: u64,
        reply: oneshot::Sender<Result<()>>,
    },
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) link: Arc<Link>,
    pub(crate) binding: Arc<str>,
    /// `None` is anonymous: nothing is committed.
    pub(crate) group: Option<Arc<str>>,
    pub(crate) timeout: Duration,
    pub(crate) queue: Queue,
    pub(crate) commits: Commits,
    lanes: Mutex<Lanes>,
    commands: Mutex<Vec<Command>>,
    stopping: AtomicBool,
    client: Mutex<Weak<ClientBox>>,
}

/// What a subscription does, as its rights are known by.
pub(crate) fn purpose(binding: &str, group: Option<&str>) -> String {
    format!("reading `{binding}` as {}", group.unwrap_or("nobody"))
}

/// The client, so that `Debug` can be derived around it.
pub(crate) struct ClientBox(pub(crate) Client);

impl std::fmt::Debug for ClientBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Shared {
    pub(crate) fn new(
        link: &Arc<Link>,
        binding: &Arc<str>,
        group: Option<&Arc<str>>,
        timeout: Duration,
    ) -> Self {
        Self {
            link: link.clone(),
            binding: binding.clone(),
            group: group.cloned(),
            timeout,
            queue: Queue::default(),
            commits: Commits::default(),
            lanes: Mutex::default(),
            commands: Mutex::default(),
            stopping: AtomicBool::new(false),
            client: Mutex::default(),
        }
    }

    pub(crate) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn order(&self, command: Command) {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.push(command);
        drop(commands);
        self.queue.wake_thread();
    }

    /// What the subscription does, as its rights are known by.
    pub(crate) fn purpose(&self) -> String {
        purpose(&self.binding, self.group.as_deref())
    }

    pub(crate) fn commands(&self) -> Vec<Command> {
        std::mem::take(&mut *self.commands.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.queue.wake_thread();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire) || self.link.is_closed()
    }

    pub(crate) fn set_client(&self, client: &Arc<ClientBox>) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(client);
    }

    /// The client, as long as the thread has it.
    pub(crate) fn client(&self) -> Option<Arc<ClientBox>> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.upgrade()
    }
}
