//! The framework over the binder: an application whose handlers remember.

use std::{
    future::Future,
    ops::Deref,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use mq_core::{
    app::{App, Report, RunningApp},
    binding::BindingHandle,
    config::Config,
    extract::{Attempt, Text},
};
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::timeout,
};

use super::{
    check::{Broken, Checked},
    context::Context,
};

/// An application called `shop` that may be given listeners: binding names lead to destinations of the case.
impl Context {
    /// `bindings` gives each its destination; `settings` is for `[bindings.orders.consumer]` and whatever follows in the file.
    pub(crate) fn app(&self, bindings: &[(&str, &str)], settings: &str) -> App {
        let settings = match settings {
            "" => String::new(),
            some => format!("[bindings.orders.consumer]\n{some}"),
        };
        let mut app = App::builder()
            .config(Config::toml(settings))
            .set("app.name", self.name("shop"))
            .binder("main", self.binder().clone());
        for (binding, destination) in bindings {
            // What a service makes beside its destinations.
            self.dead_letters(destination);
            self.clean_up(&format!("{destination}.{}.retry.200ms", self.name("shop")));
            app = app.set(&format!("bindings.{binding}.destination"), *destination);
        }
        app
    }

    /// Starts an application.
    pub(crate) async fn start(&self, app: App) -> Checked<Service> {
        let planned = app.build()?;
        if self.binder().health() == mq_core::binder::Health::Up {
            self.provide_for_letters().await?;
        }
        let starting = planned.start();
        let app = self
            .within("the start of the application", Box::pin(starting))
            .await??;
        Ok(Service {
            app,
            patience: self.patience(),
        })
    }

    /// Where an application's dead letters of this destination go.
    pub(crate) fn dead_letters(&self, destination: &str) -> String {
        let letters = format!("{destination}.{}.dlq", self.name("shop"));
        self.expect_letters(&letters);
        letters
    }
}

/// An application that runs. Dropping it is what a crash would be.
pub(crate) struct Service {
    app: RunningApp,
    patience: Duration,
}

impl Service {
    /// Stops it in order.
    pub(crate) async fn stop(self) -> Checked<Report> {
        let stopping = Box::pin(self.app.stop());
        let Ok(report) = timeout(self.patience + Duration::from_secs(30), stopping).await else {
            return Err(Broken::new("the application does not come to a stop"));
        };
        Ok(report?)
    }

    /// The binding `orders`.
    pub(crate) fn orders(&self) -> Checked<BindingHandle> {
        let found = self.app.handle().binding("orders").cloned();
        found.ok_or_else(|| Broken::new("the application has no binding `orders`"))
    }
}

impl Deref for Service {
    type Target = RunningApp;

    fn deref(&self) -> &RunningApp {
        &self.app
    }
}

/// The future of a handler.
pub(crate) type Answering<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// One call of a handler.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) text: String,
    pub(crate) attempt: u32,
    pub(crate) at: Instant,
}

/// Remembers calls, and holds them up when it is told to. Clones are the same.
#[derive(Clone)]
pub(crate) struct Calls(Arc<Inner>);

struct Inner {
    calls: Mutex<Vec<Call>>,
    called: Notify,
    gate: Semaphore,
    is_held: watch::Sender<bool>,
    patience: Duration,
}

impl Calls {
    pub(crate) fn new(c: &Context) -> Self {
        Self(Arc::new(Inner {
            calls: Mutex::default(),
            called: Notify::new(),
            gate: Semaphore::new(0),
            is_held: watch::Sender::new(false),
            patience: c.patience(),
        }))
    }

    fn list(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A handler was called with this.
    pub(crate) fn note(&self, text: impl Into<String>, attempt: u32) {
        let (text, at) = (text.into(), Instant::now());
        self.list().push(Call { text, attempt, at });
        self.0.called.notify_waiters();
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

    /// From now on calls wait for [`let_go`](Self::let_go) or [`free`](Self::free).
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

    async fn pause(&self) {
        let mut is_held = self.0.is_held.subscribe();
        tokio::select! {
            _ = is_held.wait_for(|held| !held) => {}
            permit = self.0.gate.acquire() => if let Ok(permit) = permit { permit.forget() },
        }
    }

    /// Every call so far.
    pub(crate) fn all(&self) -> Vec<Call> {
        self.list().clone()
    }

    /// The payloads in the order of the calls.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.list().iter().map(|call| call.text.clone()).collect()
    }

    /// Payload and attempt of each call, as `payload#attempt`.
    pub(crate) fn attempts(&self) -> Vec<String> {
        let one = |call: &Call| format!("{}#{}", call.text, call.attempt);
        self.list().iter().map(one).collect()
    }

    /// Waits for at least so many calls.
    pub(crate) async fn reach(&self, count: usize) -> Checked {
        let reached = async {
            loop {
                let called = self.0.called.notified();
                if self.list().len() >= count {
                    return;
                }
                called.await;
            }
        };
        let reached = timeout(self.0.patience, reached).await;
        reached.map_err(|_| {
            let (found, patience) = (self.attempts(), self.0.patience);
            Broken::new(format!("{count} calls of the handler were expected within {patience:?}, but there were {found:?}"))
        })
    }
}

impl Context {
    /// What the application's group has left of a destination with one partition, up to a message that is sent now.
    pub(crate) async fn left(&self, destination: &str) -> Checked<Vec<String>> {
        self.send(destination, &["end"]).await?;
        let mut reader = self.reader(destination, "shop").await?;
        let mut found = Vec::new();
        while found.last().is_none_or(|last| last != "end") {
            found.extend(reader.texts(1).await?);
        }
        found.pop();
        reader.close().await?;
        Ok(found)
    }
}
