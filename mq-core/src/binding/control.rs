//! Looking at a binding and steering it while it runs.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::sync::{mpsc, watch};

use crate::{
    error::{Error, ErrorKind, Result},
    telemetry::BindingMetrics,
};

/// What a binding is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindingState {
    /// Subscribing for the first time.
    Starting,
    /// Receiving and handling.
    Running,
    /// Subscribed, but taking nothing in.
    Paused,
    /// The broker is away, or something cannot be published; it goes on by itself.
    Down(String),
    /// Finishing what is in flight.
    Draining,
    /// Not subscribed; until it is started.
    Stopped,
    /// Not subscribed, because of this; until it is started.
    Failed(String),
    /// A source that has come to its end.
    Ended,
}

impl fmt::Display for BindingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Running => f.write_str("running"),
            Self::Paused => f.write_str("paused"),
            Self::Down(reason) => write!(f, "down: {reason}"),
            Self::Draining => f.write_str("draining"),
            Self::Stopped => f.write_str("stopped"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
            Self::Ended => f.write_str("ended"),
        }
    }
}

/// What a binding is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Take nothing in; what is in flight finishes.
    Pause,
    /// Take in again.
    Resume,
    /// Drain and give the subscription up.
    Stop,
    /// Subscribe again.
    Start,
    /// Handle at most this many at a time.
    Concurrency(usize),
    /// Drain and end for good.
    Shutdown,
}

/// What can be seen of a binding at any time.
#[derive(Debug)]
pub struct BindingStatus {
    state: watch::Sender<BindingState>,
    problem: Mutex<Option<String>>,
    unsettled: AtomicUsize,
    in_flight: AtomicUsize,
    waiting: AtomicUsize,
}

impl BindingStatus {
    pub(super) fn new() -> Self {
        Self {
            state: watch::Sender::new(BindingState::Starting),
            problem: Mutex::new(None),
            unsettled: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    pub(super) fn set(&self, state: BindingState) {
        self.state.send_if_modified(|old| {
            let changed = *old != state;
            *old = state;
            changed
        });
    }

    pub(super) fn set_problem(&self, problem: Option<&str>) {
        let mut slot = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_deref() != problem {
            *slot = problem.map(str::to_owned);
        }
    }

    pub(super) fn count(&self, unsettled: usize, in_flight: usize, waiting: usize) {
        self.unsettled.store(unsettled, Relaxed);
        self.in_flight.store(in_flight, Relaxed);
        self.waiting.store(waiting, Relaxed);
    }
}

/// A binding from outside: cheap to clone, usable from any task.
#[derive(Clone, Debug)]
pub struct BindingHandle {
    name: Arc<str>,
    commands: mpsc::Sender<Command>,
    status: Arc<BindingStatus>,
    metrics: Arc<BindingMetrics>,
}

impl BindingHandle {
    /// A handle, and what the binding's task takes commands from and shows itself through.
    #[must_use]
    pub fn new(name: Arc<str>, metrics: Arc<BindingMetrics>) -> (Self, Control) {
        let (commands, receiver) = mpsc::channel(16);
        let status = Arc::new(BindingStatus::new());
        let control = Control {
            commands: receiver,
            status: status.clone(),
            shutdown: false,
        };
        (
            Self {
                name,
                commands,
                status,
                metrics,
            },
            control,
        )
    }

    /// The binding's name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> BindingState {
        self.status.state.borrow().clone()
    }

    /// What keeps it from getting on although it is running: a destination that cannot be published to, for example.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.status
            .problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Messages taken in and not yet done with.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.status.unsettled.load(Relaxed)
    }

    /// Handler calls under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.status.in_flight.load(Relaxed)
    }

    /// Messages that wait for another attempt.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.status.waiting.load(Relaxed)
    }

    /// Its counters.
    #[must_use]
    pub fn metrics(&self) -> &Arc<BindingMetrics> {
        &self.metrics
    }

    /// Waits until the state is one that `wanted` accepts. Cancel-safe.
    pub async fn wait_for(&self, wanted: impl FnMut(&BindingState) -> bool) -> BindingState {
        let mut receiver = self.status.state.subscribe();
        let state = receiver.wait_for(wanted).await.map(|state| state.clone());
        state.unwrap_or(BindingState::Stopped)
    }

    /// Gives a command; returns when the binding's task has it, which is not yet when it has done it.
    ///
    /// # Errors
    /// The binding has ended.
    pub async fn command(&self, command: Command) -> Result<()> {
        self.commands.send(command).await.map_err(|_| {
            Error::new(ErrorKind::Closed, "the binding has ended")
                .operation("BindingHandle::command")
                .context("binding", &self.name)
        })
    }
}

/// The binding's side of its [`BindingHandle`].
#[derive(Debug)]
pub struct Control {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) status: Arc<BindingStatus>,
    /// Whether the binding was told to end for good.
    pub(super) shutdown: bool,
}

impl Control {
    /// The next command; a handle that is gone means shutdown. Cancel-safe.
    pub(super) async fn next(&mut self) -> Command {
        let command = self.commands.recv().await.unwrap_or(Command::Shutdown);
        self.shutdown |= command == Command::Shutdown;
        command
    }
}
