//! A broker in memory, a service called `shop` on it, and what became of its messages.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use mq::{
    RunningApp,
    binder::{Binder, Cursor, ProducerSpec},
    clock::Clock,
    config::Config,
    memory::{MemoryBinder, MemoryBuilder},
    prelude::*,
    telemetry::MetricsSnapshot,
};

/// An order, of which only the number matters.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Order {
    pub(crate) id: u64,
}

/// What handlers have seen, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0
            .lock()
            .expect("no test panics here")
            .push(what.into());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().expect("no test panics here").clone()
    }
}

/// A dead letter: why, the kind of the error, and after how many attempts.
pub(crate) type Letter = (String, String, String);

/// The broker, and the clock that it shares with its services: wall time goes with tokio's.
#[derive(Clone, Debug)]
pub(crate) struct Broker(pub(crate) Arc<MemoryBinder>, Clock);

impl Broker {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(build: impl FnOnce(MemoryBuilder) -> MemoryBuilder) -> Self {
        let clock = Clock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let binder = build(MemoryBinder::builder().clock(clock)).build();
        Self(Arc::new(binder.expect("settings without mistakes")), clock)
    }

    /// A service on this broker that has no listeners yet.
    pub(crate) fn app(&self, settings: &str) -> App {
        App::builder()
            .config(Config::toml(settings))
            .set("app.name", "shop")
            .clock(self.1)
            .binder("main", self.0.clone())
    }

    pub(crate) async fn put(&self, destination: &str, messages: Vec<Message>) {
        let producer = self.0.producer(&ProducerSpec::new(destination)).await;
        let results = producer.expect("a producer").publish(&messages).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }

    pub(crate) async fn messages(&self, destination: &str) -> Vec<Message> {
        let mut cursor = Cursor::default();
        let browsed = self.0.admin().browse(destination, &mut cursor, 1_000).await;
        browsed
            .expect("the destination is there")
            .into_iter()
            .map(|each| each.message)
            .collect()
    }

    pub(crate) async fn letters(&self, destination: &str) -> Vec<Letter> {
        let header = |message: &Message, name| {
            message
                .as_headers()
                .text(name)
                .unwrap_or("is missing")
                .to_owned()
        };
        let letter = |message: &Message| {
            let [reason, kind, attempt] = ["mq-error-reason", "mq-error-type", "mq-attempt"];
            (
                header(message, reason),
                header(message, kind),
                header(message, attempt),
            )
        };
        self.messages(destination)
            .await
            .iter()
            .map(letter)
            .collect()
    }

    /// Messages of this destination that the service has not settled.
    pub(crate) async fn unsettled(&self, destination: &str) -> u64 {
        let lag = self.0.admin().lag(destination, "shop").await;
        lag.expect("the group is there").messages
    }

    /// Nothing of this destination is before the service any more.
    pub(crate) async fn assert_settled(&self, destination: &str) {
        let unsettled = self.unsettled(destination).await;
        assert_eq!(
            unsettled, 0,
            "messages of {destination} that are not settled"
        );
    }
}

/// Starts a service that has no mistakes.
pub(crate) async fn start(app: App) -> RunningApp {
    let planned = app.build().unwrap_or_else(|problems| panic!("{problems}"));
    planned.start().await.expect("it starts")
}

/// The counters of a binding.
pub(crate) fn metrics(app: &RunningApp, binding: &str) -> MetricsSnapshot {
    app.handle()
        .binding(binding)
        .expect("there is such a binding")
        .metrics()
        .snapshot()
}

/// An order as JSON, with its number as the key.
pub(crate) fn order(id: u64) -> Message {
    Message::new(format!("{{\"id\":{id}}}"))
        .key(id.to_string())
        .content_type("application/json")
}

/// A letter to compare with.
pub(crate) fn letter(reason: &str, kind: &str, attempt: &str) -> Letter {
    (reason.into(), kind.into(), attempt.into())
}
