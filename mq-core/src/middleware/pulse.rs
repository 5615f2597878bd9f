//! The clock of one loop: read once where several layers need the time, and one timer for all deadlines.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{task, time::Instant};

/// Time as the loop last saw it, in nanoseconds since the loop began, and the earliest deadline that somebody waits for.
///
/// The loop refreshes it whenever it runs, and runs again when the earliest deadline has passed.
/// So a timeout that never strikes costs no timer of its own.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    base: Instant,
    now: AtomicU64,
    wake_at: AtomicU64,
    task: OnceLock<task::Id>,
}

impl Pulse {
    /// A pulse that begins now. No loop drives it yet.
    #[must_use]
    pub fn new() -> Self {
        let inner = Inner {
            base: Instant::now(),
            now: AtomicU64::new(0),
            wake_at: AtomicU64::new(u64::MAX),
            task: OnceLock::new(),
        };
        Self(Arc::new(inner))
    }

    /// Reads the clock.
    #[must_use]
    pub fn refresh(&self) -> u64 {
        let nanos = u64::try_from(self.0.base.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.now.store(nanos, Relaxed);
        nanos
    }

    /// The time of the last [`refresh`](Self::refresh).
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.now.load(Relaxed)
    }

    /// Says that this task refreshes the pulse and wakes for its deadlines from now on.
    pub(crate) fn drive_from_here(&self) {
        if let Some(id) = task::try_id() {
            let _ = self.0.task.set(id);
        }
    }

    /// Asks to be polled again at `deadline`; false if this is not the loop's own task, so that the caller needs a timer.
    pub(crate) fn arm(&self, deadline: u64) -> bool {
        if self
            .0
            .task
            .get()
            .is_none_or(|driver| task::try_id() != Some(*driver))
        {
            return false;
        }
        if deadline < self.0.wake_at.load(Relaxed) {
            self.0.wake_at.store(deadline, Relaxed);
        }
        true
    }

    /// The earliest deadline asked for.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        match self.0.wake_at.load(Relaxed) {
            u64::MAX => None,
            nanos => Some(self.instant(nanos)),
        }
    }

    /// Forgets the deadlines: whoever still waits asks again when polled.
    pub(crate) fn disarm(&self) {
        self.0.wake_at.store(u64::MAX, Relaxed);
    }

    /// The moment `nanos` after the beginning.
    pub(crate) fn instant(&self, nanos: u64) -> Instant {
        self.0.base + Duration::from_nanos(nanos)
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}
