//! The clock of one loop: read once where several layers need the time, and one timer for all deadlines.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

/// The machine's monotonic clock in nanoseconds since some time in the past.
///
/// A difference of two [`Instant`]s costs three times as much as reading the clock does.
#[cfg(unix)]
#[inline]
fn ticks() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Neither is negative on a monotonic clock.
    (now.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(now.tv_nsec as u64)
}

/// The same where there is no such call.
#[cfg(not(unix))]
fn ticks() -> u64 {
    static BASE: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    u64::try_from(BASE.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

thread_local! {
    /// The pulse of the loop whose calls this thread polls right now.
    static DRIVING: RefCell<Option<Pulse>> = const { RefCell::new(None) };
}

/// No limit, or no deadline: a time that no loop reaches.
pub(crate) const NEVER: u64 = u64::MAX;

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
    /// What the time is ahead of [`ticks`].
    ahead: AtomicU64,
    wake_at: AtomicU64,
}

impl Pulse {
    /// A pulse that begins now. No loop drives it yet.
    #[must_use]
    pub fn new() -> Self {
        let inner = Inner {
            base: Instant::now(),
            now: AtomicU64::new(0),
            ahead: AtomicU64::new(0u64.wrapping_sub(ticks())),
            wake_at: AtomicU64::new(NEVER),
        };
        Self(Arc::new(inner))
    }

    /// Reads tokio's clock, which a test may have paused or moved.
    pub(crate) fn begin_turn(&self) -> u64 {
        let elapsed = self.0.base.elapsed();
        // A loop runs for less than 584 years.
        let nanos = elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos());
        self.0.ahead.store(nanos.wrapping_sub(ticks()), Relaxed);
        self.0.now.store(nanos, Relaxed);
        nanos
    }

    /// Reads the clock: the time when the turn began, and what has passed since then.
    #[must_use]
    #[inline]
    pub fn refresh(&self) -> u64 {
        let nanos = ticks().wrapping_add(self.0.ahead.load(Relaxed));
        self.0.now.store(nanos, Relaxed);
        nanos
    }

    /// The time of the last [`refresh`](Self::refresh).
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.now.load(Relaxed)
    }

    /// Says that the calls which are polled until the guard is dropped belong to this pulse's loop.
    pub(crate) fn drive(&self) -> Driving {
        Driving(DRIVING.replace(Some(self.clone())))
    }

    /// The pulse of the loop that polls right now; `None` outside of any loop, so that the caller needs a timer.
    pub(crate) fn with_driving<T>(each: impl FnOnce(&Self) -> T) -> Option<T> {
        DRIVING.with_borrow(|pulse| pulse.as_ref().map(each))
    }

    /// Asks to be polled again when `limit` has passed; returns the deadline.
    #[inline]
    pub(crate) fn arm_in(&self, limit: u64) -> u64 {
        let deadline = self.now().saturating_add(limit);
        self.arm(deadline);
        deadline
    }

    /// Whether the deadline has passed; if not, asks to be polled again then.
    #[inline]
    pub(crate) fn is_over(&self, deadline: u64) -> bool {
        self.arm(deadline);
        self.now() >= deadline
    }

    /// Asks to be polled again at `deadline`.
    #[inline]
    fn arm(&self, deadline: u64) {
        if deadline < self.0.wake_at.load(Relaxed) {
            self.0.wake_at.store(deadline, Relaxed);
        }
    }

    /// The earliest deadline asked for.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        match self.0.wake_at.load(Relaxed) {
            NEVER => None,
            nanos => Some(self.instant(nanos)),
        }
    }

    /// Forgets the deadlines: whoever still waits asks again when polled.
    pub(crate) fn disarm(&self) {
        self.0.wake_at.store(NEVER, Relaxed);
    }

    /// The moment `nanos` after the beginning.
    pub(crate) fn instant(&self, nanos: u64) -> Instant {
        self.0.base + Duration::from_nanos(nanos)
    }
}

/// While it lives, a pulse is the one that deadlines are asked of.
#[derive(Debug)]
pub(crate) struct Driving(Option<Pulse>);

impl Drop for Driving {
    fn drop(&mut self) {
        DRIVING.set(self.0.take());
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}
