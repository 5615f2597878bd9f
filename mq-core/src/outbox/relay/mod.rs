//! The relay: publishes what stands in an outbox.
//!
//! # How it works
//! A *keeper* renews the leases of partitions, hands back what is beyond the relay's fair share, and takes what is free.
//! For each output there are some *workers*, each with its own group of the held partitions; a worker goes round: fetch a batch,
//! publish it in waves, mark what was confirmed.
//! No database transaction is open while something is published.
//!
//! # What holds
//! - *At least once*: a row is marked after the broker has confirmed it. After a crash in between it is published again with the
//!   same message id, by which consumers know it again.
//! - *Order per key*: rows of one key and output are published in the order of their numbers; a row that fails stops its key and
//!   nothing else. Where a relay that was cut off comes back late, rows may be repeated, but the first copy of each stays in order.
//! - *Nothing is passed over*: there is no cursor, only rows that are not published yet, so a row that commits late is found.
//! - *A failure has one cost*: a broker that is away makes its output wait, without writes to the store; a row that fails for now
//!   waits with its key; a row that fails for good parks its key after [`RelayOptions::park_after`] attempts.

mod blame;
mod blocked;
mod caretaker;
mod held;
mod keeper;
mod marks;
mod monitor;
mod options;
mod waves;
mod worker;

pub use monitor::{RelayMonitor, RelayStatus};
pub use options::{Pipeline, RelayOptions};

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::{Instant, timeout},
};

use self::{caretaker::caretaker, held::Held, keeper::keeper, worker::Worker};
use super::{OutboxPublisher, OutboxStore, RelayId};
use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
};

/// Publishes what stands in an outbox, until it is told to stop.
///
/// Each process runs one relay for each outbox; all relays of an outbox share its partitions.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
}

/// What the tasks of a relay share.
struct Shared {
    id: RelayId,
    store: Arc<dyn OutboxStore>,
    publisher: Arc<dyn OutboxPublisher>,
    options: RelayOptions,
    clock: Clock,
    held: Held,
    monitor: RelayMonitor,
    signal: watch::Sender<Signal>,
}

/// The place under which the monitor reports trouble with the store.
const STORE: &str = "store";

/// What workers are told.
#[derive(Clone, Copy, Debug, Default)]
struct Signal {
    /// There may be something to publish.
    wakes: u64,
    /// The relay is stopping; no batch and no wave is begun after this time.
    stop: Option<Instant>,
}

/// How a relay has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayEnd {
    /// Nothing was under way any more.
    Drained,
    /// The time for draining was over; what was under way may be published again by another relay, or at the next start.
    TimedOut,
}

impl Relay {
    /// A relay of `application` between this outbox and these outputs.
    #[must_use]
    pub fn new(
        application: &str,
        store: Arc<dyn OutboxStore>,
        publisher: Arc<dyn OutboxPublisher>,
        options: RelayOptions,
    ) -> Self {
        let shared = Shared {
            id: RelayId::unique(application),
            store,
            publisher,
            options,
            clock: Clock::system(),
            held: Held::default(),
            monitor: RelayMonitor::default(),
            signal: watch::Sender::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A handle that tells how the relay is.
    #[must_use]
    pub fn monitor(&self) -> RelayMonitor {
        self.shared.monitor.clone()
    }

    /// The relay's id.
    #[must_use]
    pub fn id(&self) -> &RelayId {
        &self.shared.id
    }

    /// Publishes until `stop` is ready; then publishes what is there and hands its partitions back.
    ///
    /// All that takes [`RelayOptions::drain`] at most: batches are begun in its first half, and the second half is for what is
    /// under way. What then is left waits for another relay or the next start.
    ///
    /// Dropping the future is what a crash would be: publications under way may or may not have happened and are repeated by
    /// whoever gets the partitions when the leases have ended.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: an option is out of range; nothing was started.
    /// [`ErrorKind::Bug`]: a task of the relay has panicked; its partitions were handed back. Failures of the store or a broker are
    /// no errors here: the relay waits, and its [monitor](Self::monitor) says why.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<RelayEnd> {
        self.check()?;
        let mut background = JoinSet::new();
        background.spawn(keeper(self.shared.clone()));
        background.spawn(waker(self.shared.clone()));
        background.spawn(caretaker(self.shared.clone()));
        let mut workers = self.spawn_workers();
        let ended = self.work(stop, &mut background, &mut workers).await;
        workers.shutdown().await;
        background.shutdown().await;
        self.leave().await;
        ended
    }

    fn check(&self) -> Result<()> {
        let problems = self.shared.options.validate();
        if problems.is_empty() {
            return Ok(());
        }
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Err(Error::new(
            ErrorKind::Config,
            format!("options of the outbox relay: {}", problems.join("; ")),
        ))
    }

    fn spawn_workers(&self) -> JoinSet<()> {
        let mut workers = JoinSet::new();
        for output in self.shared.publisher.outputs() {
            for group in 0..self.shared.options.workers {
                let worker = Worker::new(self.shared.clone(), output.clone(), group);
                workers.spawn(worker.run());
            }
        }
        workers
    }

    async fn work(
        &self,
        stop: impl Future<Output = ()>,
        background: &mut JoinSet<()>,
        workers: &mut JoinSet<()>,
    ) -> Result<RelayEnd> {
        let early = tokio::select! {
            () = stop => None,
            Some(ended) = background.join_next() => Some(ended),
            Some(ended) = workers.join_next() => Some(ended),
        };
        if let Some(ended) = early {
            return Err(panicked(ended.err()));
        }
        let stop = self.shared.clock.now() + self.shared.options.drain / 2;
        self.shared
            .signal
            .send_modify(|signal| signal.stop = Some(stop));
        let drained = async {
            while let Some(ended) = workers.join_next().await {
                ended.map_err(|error| panicked(Some(error)))?;
            }
            Ok(RelayEnd::Drained)
        };
        timeout(self.shared.options.drain, drained)
            .await
            .unwrap_or(Ok(RelayEnd::TimedOut))
    }

    /// Hands everything back; if the store does not answer, the leases end by themselves.
    async fn leave(&self) {
        const PATIENCE: Duration = Duration::from_secs(5);
        let store = &self.shared.store;
        let leaving = async {
            store.hand_back(&self.shared.held.take_all()).await?;
            store.leave(&self.shared.id).await
        };
        if let Ok(Err(error)) = timeout(PATIENCE, leaving).await {
            tracing::warn!(
                error = error.chain(),
                "the outbox relay could not hand its partitions back"
            );
        }
        self.shared.monitor.partitions(0);
    }
}

fn panicked(error: Option<JoinError>) -> Error {
    let bug = Error::new(ErrorKind::Bug, "a task of the outbox relay has panicked");
    match error {
        Some(error) => bug.source(error),
        None => bug,
    }
}

/// Passes wake-ups of the store on to all workers.
async fn waker(shared: Arc<Shared>) {
    let wake_up = shared.store.wake_up();
    loop {
        wake_up.woken().await;
        shared.signal.send_modify(|signal| signal.wakes += 1);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("id", &self.id)
            .field("store", &self.store)
            .field("options", &self.options)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}
