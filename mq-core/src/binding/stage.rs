//! A step that runs one call at a time, with backoff after a failure.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Sleep, sleep};
use tokio_util::sync::ReusableBoxFuture;

/// One call at a time; what comes meanwhile goes with the next.
pub(super) struct Stage<T> {
    /// The call that runs or was the last: the next one goes where it is.
    call: Option<ReusableBoxFuture<'static, T>>,
    is_running: bool,
    pause: Option<Pin<Box<Sleep>>>,
    failures: u32,
}

impl<T> Stage<T> {
    pub(super) fn new() -> Self {
        Self {
            call: None,
            is_running: false,
            pause: None,
            failures: 0,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.is_running
    }

    /// Whether a call can begin now; wakes when a pause is over.
    pub(super) fn poll_free(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(pause) = &mut self.pause {
            if pause.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.pause = None;
        }
        !self.is_running
    }

    pub(super) fn start(&mut self, call: impl Future<Output = T> + Send + 'static) {
        match &mut self.call {
            Some(place) => place.set(call),
            None => self.call = Some(ReusableBoxFuture::new(call)),
        }
        self.is_running = true;
    }

    /// The result of the call that runs; pending if none does.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let Some(call) = self.call.as_mut().filter(|_| self.is_running) else {
            return Poll::Pending;
        };
        let result = ready!(call.poll(cx));
        self.is_running = false;
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
