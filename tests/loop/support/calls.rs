//! What handlers were called with.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
};

use mq::{
    extract::{Attempt, Text},
    outcome::Failure,
};
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

/// The future of a handler.
pub(crate) type Answering<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// One call of a handler.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) text: String,
    pub(crate) attempt: u32,
    /// When, in milliseconds since the test began.
    pub(crate) at: u64,
}

/// Remembers calls, and holds them up when it is told to. Clones are the same.
#[derive(Clone)]
pub(crate) struct Calls(Arc<Inner>);

struct Inner {
    begin: Instant,
    calls: Mutex<Vec<Call>>,
    gate: Semaphore,
    is_held: watch::Sender<bool>,
    running: Mutex<(usize, usize)>,
}

impl Calls {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            begin: Instant::now(),
            calls: Mutex::default(),
            gate: Semaphore::new(0),
            is_held: watch::Sender::new(false),
            running: Mutex::default(),
        }))
    }

    fn list(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0
            .calls
            .lock()
            .expect("no test panics while it holds this")
    }

    /// A handler was called with this.
    pub(crate) fn note(&self, text: impl Into<String>, attempt: u32) {
        let at = u64::try_from(self.0.begin.elapsed().as_millis()).expect("a short test");
        self.list().push(Call {
            text: text.into(),
            attempt,
            at,
        });
    }

    /// A handler that notes its calls, waits while they are held, and answers what `answer` says of payload and attempt.
    pub(crate) fn handler<R: Send + 'static>(
        &self,
        answer: impl Fn(&str, u32) -> R + Clone + Send + Sync + 'static,
    ) -> impl Fn(Text, Attempt) -> Answering<R> + Send + Sync + 'static {
        let calls = self.clone();
        move |Text(text), Attempt(attempt)| {
            let (calls, answer) = (calls.clone(), answer.clone());
            Box::pin(async move {
                calls.note(text.clone(), attempt);
                calls.pause().await;
                answer(&text, attempt)
            })
        }
    }

    /// A handler that succeeds.
    pub(crate) fn succeed(
        &self,
    ) -> impl Fn(Text, Attempt) -> Answering<()> + Send + Sync + 'static {
        self.handler(|_, _| ())
    }

    /// A handler that publishes what it was given.
    pub(crate) fn echo(&self) -> impl Fn(Text, Attempt) -> Answering<Text> + Send + Sync + 'static {
        self.handler(|text, _| Text(text.to_owned()))
    }

    /// A handler that always fails and is to be tried again.
    pub(crate) fn fail(
        &self,
    ) -> impl Fn(Text, Attempt) -> Answering<Result<(), Failure>> + Send + Sync + 'static {
        self.handler(|_, _| Err(Failure::retry("broken")))
    }

    /// From now on [`pause`](Self::pause) waits for [`let_go`](Self::let_go).
    pub(crate) fn hold(&self) {
        self.0.is_held.send_replace(true);
    }

    /// Lets so many held calls go on.
    pub(crate) fn let_go(&self, count: usize) {
        self.0.gate.add_permits(count);
    }

    /// Lets all calls go on.
    pub(crate) fn free(&self) {
        self.0.is_held.send_replace(false);
    }

    /// Waits while calls are held; counts who is here at the same time.
    pub(crate) async fn pause(&self) {
        let _here = Here::enter(&self.0);
        let mut is_held = self.0.is_held.subscribe();
        tokio::select! {
            _ = is_held.wait_for(|held| !held) => {}
            permit = self.0.gate.acquire() => permit.expect("never closed").forget(),
        }
    }

    /// Every call so far.
    pub(crate) fn all(&self) -> Vec<Call> {
        self.list().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.list().len()
    }

    /// The payloads in the order of the calls.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.list().iter().map(|call| call.text.clone()).collect()
    }

    /// Payload and attempt of each call, as `payload attempt`.
    pub(crate) fn attempts(&self) -> Vec<String> {
        let one = |call: &Call| format!("{} {}", call.text, call.attempt);
        self.list().iter().map(one).collect()
    }

    /// Payload and attempt of the calls with this payload's beginning.
    pub(crate) fn attempts_of(&self, beginning: &str) -> Vec<String> {
        let all = self.attempts().into_iter();
        all.filter(|call| call.starts_with(beginning)).collect()
    }

    /// Milliseconds between one call and the next.
    pub(crate) fn waits(&self) -> Vec<u64> {
        let list = self.list();
        list.windows(2).map(|two| two[1].at - two[0].at).collect()
    }

    /// How many are in [`pause`](Self::pause) now.
    pub(crate) fn running(&self) -> usize {
        self.0.running.lock().expect("as above").0
    }

    /// How many were at most.
    pub(crate) fn most(&self) -> usize {
        self.0.running.lock().expect("as above").1
    }
}

/// Counts a call that is under way, also when it is dropped.
struct Here<'a>(&'a Inner);

impl<'a> Here<'a> {
    fn enter(inner: &'a Inner) -> Self {
        let mut running = inner.running.lock().expect("as above");
        running.0 += 1;
        running.1 = running.1.max(running.0);
        Self(inner)
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.0.running.lock().expect("as above").0 -= 1;
    }
}
