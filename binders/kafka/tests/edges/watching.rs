//! What can be seen from outside: spans with partition and position, log lines of the client, counts.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use mq_core::{
    app::App,
    binder::{Binder, BinderContext},
    config::Config,
    extract::Text,
    message::Message,
};
use mq_kafka::KafkaBinder;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
};

use crate::place::{connect, name, publish, server, settings, topic, until};

/// The fields of a span or an event, as text.
type Fields = BTreeMap<&'static str, String>;

/// What was told under a target, by everybody in this process.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(&'static str, Fields)>>>);

struct Reading(Fields);

impl Visit for Reading {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Told {
    fn add(&self, target: &'static str, record: impl FnOnce(&mut Reading)) {
        let mut reading = Reading(Fields::new());
        record(&mut reading);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((target, reading.0));
    }

    /// Those under a target for which something holds.
    fn of(&self, target: &str, is_it: impl Fn(&Fields) -> bool) -> Vec<Fields> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all
            .iter()
            .filter(|(own, fields)| *own == target && is_it(fields));
        found.map(|(_, fields)| fields.clone()).collect()
    }
}

impl<S: Subscriber> Layer<S> for Told {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        let target = attributes.metadata().target();
        if target == "mq::delivery" {
            self.add(target, |reading| attributes.record(reading));
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let target = event.metadata().target();
        if target.starts_with("mq_kafka::") {
            self.add(target, |reading| event.record(reading));
        }
    }
}

/// What this process tells; the first test that asks begins to listen.
fn told() -> Told {
    static TOLD: std::sync::OnceLock<Told> = std::sync::OnceLock::new();
    let listen = || {
        let told = Told::default();
        let subscriber = tracing_subscriber::registry().with(told.clone());
        tracing::subscriber::set_global_default(subscriber).expect("nobody else listens");
        told
    };
    TOLD.get_or_init(listen).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_span_of_a_delivery_says_where_the_message_was() {
    let Some(server) = server().await else { return };
    let told = told();
    let binder = connect(settings(server)).await;
    let orders = topic(&binder, "watched", 3).await;
    let config = format!(
        "[app]\nname = 'billing'\n[binders.main]\nkind = 'kafka'\nservers = '{}'\n[bindings.orders]\ndestination = '{orders}'\n",
        server.addr()
    );
    let running = App::builder()
        .config(Config::toml(config))
        .binder_kind(mq_kafka::FACTORY)
        .sink("orders", |_: Text| async {})
        .build()
        .expect("a plan")
        .start()
        .await
        .expect("a start");
    let message = |text: &'static str| Message::new(text).partition(2);
    publish(&binder, &orders, &[message("a"), message("b")]).await;
    let spans = || {
        told.of("mq::delivery", |fields| {
            fields
                .get("messaging.destination.name")
                .is_some_and(|name| *name == orders)
        })
    };
    until("two spans", async || spans().len() == 2).await;
    for (position, span) in spans().iter().enumerate() {
        assert_eq!(span["messaging.destination.partition.id"], "2");
        assert_eq!(span["position"], position.to_string());
    }
    running.stop().await.expect("stopped");
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_the_client_and_its_counts_are_events() {
    let Some(server) = server().await else { return };
    let told = told();
    let mut counting = settings(server);
    counting.statistics = std::time::Duration::from_millis(100);
    counting.native.insert(
        "debug".to_owned(),
        mq_kafka::Scalar::Text("broker".to_owned()),
    );
    let instance = name("instance");
    let context = BinderContext::new(instance.as_str(), "edges");
    let binder = KafkaBinder::connect(counting, &context).await;
    let binder = binder.expect("settings");
    let topic = topic(&binder, "counted", 1).await;
    publish(&binder, &topic, &[Message::new("x"), Message::new("y")]).await;
    let is_ours = |fields: &Fields| fields.get("binder").is_some_and(|name| *name == instance);
    until("a line and the count of two messages", async || {
        let lines = told.of("mq_kafka::client", is_ours);
        let counts = told.of("mq_kafka::statistics", |fields| {
            is_ours(fields) && fields["role"] == "producer" && fields["messages_sent"] == "2"
        });
        let told_all = |fields: &Fields| {
            ["bytes_sent", "queued", "lag", "round_trip", "failures"]
                .iter()
                .all(|field| fields.contains_key(field))
        };
        let is_line = |fields: &Fields| fields.contains_key("facility");
        lines.iter().any(is_line) && counts.iter().any(told_all)
    })
    .await;
    binder.close().await.expect("closed");
}
