//! Members that join and leave all the time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mq_core::{
    app::{App, RunningApp},
    binder::{Binder, Delivery},
    config::Config,
    message::Message,
};

use mq_kafka::KafkaBinder;

use crate::server::{broker, connect, publish, settings, topic};

/// What the members of a group have handled: for each key the numbers in the order of their first handling.
#[derive(Debug, Default)]
struct Seen {
    keys: HashMap<u64, Vec<u64>>,
    first: usize,
    again: usize,
}

#[derive(Clone, Debug, Default)]
struct Book(Arc<Mutex<Seen>>);

impl Book {
    fn note(&self, key: u64, number: u64) {
        let mut seen = self.0.lock().unwrap();
        let numbers = seen.keys.entry(key).or_default();
        if numbers.contains(&number) {
            seen.again += 1;
        } else {
            numbers.push(number);
            seen.first += 1;
        }
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().first
    }
}

async fn member(address: &str, topic: &str, book: &Book) -> RunningApp {
    let settings = format!(
        "[app]\nname = 'storm'\n[binders.main]\nkind = 'kafka'\nservers = '{address}'\nsession_timeout = '6s'\n\
         [bindings.orders]\ndestination = '{topic}'\n[bindings.orders.consumer]\nordering = 'key'\nconcurrency = 16\n"
    );
    let book = book.clone();
    let note = move |delivery: Delivery| {
        let book = book.clone();
        async move {
            let text = String::from_utf8_lossy(delivery.message().as_bytes()).into_owned();
            let (key, number) = text.split_once(' ').unwrap();
            tokio::task::yield_now().await;
            book.note(key.parse().unwrap(), number.parse().unwrap());
        }
    };
    let app = App::builder()
        .config(Config::toml(settings))
        .binder_kind(mq_kafka::FACTORY)
        .sink("orders", note);
    app.build().unwrap().start().await.unwrap()
}

const KEYS: u64 = 200;

async fn send(binder: Arc<KafkaBinder>, orders: String, count: usize) {
    for start in (0..count as u64).step_by(1_000) {
        let message = |number: u64| {
            let key = number % KEYS;
            Message::new(format!("{key} {}", number / KEYS)).key(key.to_string())
        };
        let messages: Vec<_> = (start..start + 1_000).map(message).collect();
        publish(&binder, &orders, &messages).await;
    }
}

fn judge(book: &Book, count: usize) {
    let seen = book.0.lock().unwrap();
    for (key, numbers) in &seen.keys {
        assert!(
            numbers.is_sorted(),
            "key {key} was handled out of order: {numbers:?}"
        );
    }
    assert!(
        seen.again * 100 < count,
        "{} of {count} were handled again",
        seen.again
    );
}

/// How long the storm lasts: `MQ_STORM` in seconds.
fn seconds() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a test lasts is no setting of the product"
    )]
    let given = std::env::var("MQ_STORM");
    given.ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_rebalances_loses_nothing_and_keeps_keys_in_order() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let orders = topic(&binder, "orders", 12).await;
    let seconds = seconds();
    let count = usize::try_from(seconds * 3_333).unwrap() / 1_000 * 1_000;
    let book = Book::default();
    let publishing = tokio::spawn(send(binder.clone(), orders.clone(), count));
    let steady = member(&address, &orders, &book).await;
    let begin = Instant::now();
    let mut comers: Vec<RunningApp> = Vec::new();
    while begin.elapsed() < Duration::from_secs(seconds) {
        if comers.len() < 3 {
            comers.push(member(&address, &orders, &book).await);
        } else {
            let report = comers.remove(0).stop().await;
            report.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    publishing.await.unwrap();
    let patience = Instant::now();
    while book.count() < count {
        assert!(
            patience.elapsed() < Duration::from_secs(120),
            "{} of {count} were handled",
            book.count()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for app in comers {
        app.stop().await.unwrap();
    }
    steady.stop().await.unwrap();
    judge(&book, count);
    drop(binder.close().await);
}
