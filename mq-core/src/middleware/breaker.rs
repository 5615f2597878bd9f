//! A circuit breaker: after too many failures it is not ready, so that the loop stops fetching.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{Arrival, Judge};
use crate::{
    outcome::{Next, Outcome},
    policy::BreakerPolicy,
};

/// Is not ready while the circuit is open; lets one request try when the pause is over.
#[derive(Debug)]
pub struct Breaker {
    circuit: Option<Arc<Circuit>>,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Breaker {
    /// With this policy; `None` never opens and costs nothing.
    #[must_use]
    pub fn new(policy: Option<BreakerPolicy>) -> Self {
        let circuit = policy.map(|policy| {
            let state = State::Closed(Window::starting(Instant::now()));
            Arc::new(Circuit {
                policy,
                state: Mutex::new(state),
            })
        });
        Self {
            circuit,
            wait: None,
        }
    }
}

/// Clones share the circuit.
impl Clone for Breaker {
    fn clone(&self) -> Self {
        Self {
            circuit: self.circuit.clone(),
            wait: None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Circuit {
    policy: BreakerPolicy,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed(Window),
    Open(Instant),
    /// The pause is over; whether the one trial is under way, and who waits for its end.
    Trial {
        running: bool,
        waiting: Option<Waker>,
    },
}

/// Counts of the current and the previous half of the window.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    now: (u32, u32),
    before: (u32, u32),
}

impl Window {
    fn starting(since: Instant) -> Self {
        Self {
            since,
            now: (0, 0),
            before: (0, 0),
        }
    }

    fn add(&mut self, failures: u32, successes: u32, policy: &BreakerPolicy) {
        let now = Instant::now();
        let half = policy.window / 2;
        let age = now - self.since;
        if age >= half {
            self.before = if age < policy.window {
                self.now
            } else {
                (0, 0)
            };
            self.now = (0, 0);
            self.since = now;
        }
        self.now.0 += failures;
        self.now.1 += successes;
    }

    fn is_too_bad(&self, policy: &BreakerPolicy) -> bool {
        let failures = self.now.0 + self.before.0;
        let all = failures + self.now.1 + self.before.1;
        all >= policy.minimum && f64::from(failures) >= policy.failures * f64::from(all)
    }
}

impl Circuit {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, failures: u32, successes: u32) {
        let mut state = self.state();
        match &mut *state {
            State::Closed(window) => {
                window.add(failures, successes, &self.policy);
                if failures > 0 && window.is_too_bad(&self.policy) {
                    self.open(&mut state);
                }
            }
            State::Trial { .. } if failures > 0 => self.open(&mut state),
            State::Trial { .. } if successes > 0 => close(&mut state),
            State::Trial { running, waiting } => {
                *running = false;
                wake(waiting);
            }
            State::Open(_) => {}
        }
    }

    fn open(&self, state: &mut State) {
        tracing::warn!(pause = ?self.policy.pause, "circuit opened: fetching pauses");
        if let State::Trial { waiting, .. } = state {
            wake(waiting);
        }
        *state = State::Open(Instant::now() + self.policy.pause);
    }
}

fn close(state: &mut State) {
    tracing::info!("circuit closed: fetching goes on");
    if let State::Trial { waiting, .. } = state {
        wake(waiting);
    }
    *state = State::Closed(Window::starting(Instant::now()));
}

fn wake(waiting: &mut Option<Waker>) {
    if let Some(waker) = waiting.take() {
        waker.wake();
    }
}

impl Circuit {
    fn begin(self: &Arc<Self>) -> Report {
        if let State::Trial { running, .. } = &mut *self.state() {
            *running = true;
        }
        Report {
            circuit: self.clone(),
            counts: (0, 0),
        }
    }

    /// Whether a request may pass; the breaker's own timer `wait` wakes it when the pause is over.
    fn poll_passage(&self, wait: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut state = self.state();
            match &mut *state {
                State::Closed(_) | State::Trial { running: false, .. } => return Poll::Ready(()),
                State::Trial { waiting, .. } => {
                    *waiting = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                State::Open(until) => {
                    let until = *until;
                    drop(state);
                    let wait = wait.get_or_insert_with(|| Box::pin(sleep_until(until)));
                    if wait.deadline() != until {
                        wait.as_mut().reset(until);
                    }
                    ready!(wait.as_mut().poll(cx));
                    *self.state() = State::Trial {
                        running: false,
                        waiting: None,
                    };
                }
            }
        }
    }
}

impl Judge for Breaker {
    type Case = Option<Report>;

    #[inline(always)]
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.circuit {
            None => Poll::Ready(()),
            Some(circuit) => circuit.poll_passage(&mut self.wait, cx),
        }
    }

    #[inline(always)]
    fn begin(&mut self) -> Option<Report> {
        self.circuit.as_ref().map(Circuit::begin)
    }

    #[inline(always)]
    fn judge<R: Arrival>(&self, case: Self::Case, handled: &mut R::Handled, mark: &R::Mark) {
        if let Some(mut report) = case {
            R::outcomes(handled, mark, |outcome| {
                count(outcome, &mut report.counts);
            });
        }
    }
}

/// Tells the circuit how it went, also when the request is dropped half-way.
#[derive(Debug)]
pub struct Report {
    circuit: Arc<Circuit>,
    counts: (u32, u32),
}

impl Drop for Report {
    fn drop(&mut self) {
        self.circuit.record(self.counts.0, self.counts.1);
    }
}

/// A message that is bad by itself (undecodable, unwanted) says nothing about the health of what the handler calls.
fn count(outcome: &Outcome, (failures, successes): &mut (u32, u32)) {
    match outcome {
        Outcome::Ack => *successes += 1,
        Outcome::Failed(failure) => {
            let another = matches!(
                failure.next(),
                Some(Next::InPlace(_) | Next::Delayed(_) | Next::Exhausted)
            );
            *failures += u32::from(another);
        }
    }
}
