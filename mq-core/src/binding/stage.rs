//! A step that runs one call at a time, with backoff after a failure.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

/// One call at a time; what comes meanwhile goes with the next.
pub(super) struct Stage<T> {
    running: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    pause: Option<Pin<Box<Sleep>>>,
    failures: u32,
}

impl<T> Stage<T> {
    pub(super) fn new() -> Self {
        Self {
            running: None,
            pause: None,
            failures: 0,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether a call can begin now; wakes when a pause is over.
    pub(super) fn poll_free(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(pause) = &mut self.pause {
            if pause.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.pause = None;
        }
        self.running.is_none()
    }

    pub(super) fn start(&mut self, call: impl Future<Output = T> + Send + 'static) {
        self.running = Some(Box::pin(call));
    }

    /// The result of the call that runs; pending if none does.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let Some(running) = &mut self.running else {
            return Poll::Pending;
        };
        let result = ready!(running.as_mut().poll(cx));
        self.running = None;
        Poll::Ready(result)
    }

    /// The last call went well.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The last call failed: wait before the next. Returns how long.
    pub(super) fn failed(&mut self) -> Duration {
        let wait = Duration::from_millis(50) * 2_u32.saturating_pow(self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        self.pause = Some(Box::pin(sleep(wait)));
        wait
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }
}

impl<T> std::fmt::Debug for Stage<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage")
            .field("running", &self.is_running())
            .field("failures", &self.failures)
            .finish()
    }
}
