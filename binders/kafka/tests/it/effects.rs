//! Dead letters and delayed copies are part of the transaction that commits their inputs: all of it takes effect, or nothing does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use mq_core::{
    binder::{Action, Binder, ConsumerSpec, Record, Settlement, Transaction},
    error::ErrorKind,
    extract::Text,
    message::{Message, names},
    outcome::Failure,
};
use mq_kafka::{KafkaBinder, KafkaSettings};
use mq_testkit::harness::{Cut, Incoming, ProxyOptions};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};

use crate::server::{
    Reader, app, broker, browse, connect, door, name, publish, settings, text, topic, until,
};

/// The topics of a case: the input with one message, dead letters, delayed copies.
struct Place {
    orders: String,
    letters: String,
    copies: String,
}

impl Place {
    async fn new(binder: &KafkaBinder) -> Self {
        let place = Self {
            orders: topic(binder, "orders", 1).await,
            letters: topic(binder, "letters", 1).await,
            copies: topic(binder, "copies", 1).await,
        };
        publish(
            binder,
            &place.orders,
            &[Message::new("0"), Message::new("1")],
        )
        .await;
        place
    }

    fn spec(&self) -> ConsumerSpec {
        ConsumerSpec::new(
            self.orders.as_str(),
            Some(&format!("{}-billing", self.orders)),
        )
    }

    /// A reader with its first record, and a step that is filled with what has become of it.
    async fn begun(&self, binder: &KafkaBinder) -> (Reader, Record, Box<dyn Transaction>) {
        let mut reader = Reader::open(binder, &self.spec()).await;
        let record = reader.take(1).await.remove(0);
        let mut step = reader.consumer.transaction().await.unwrap();
        self.fill(&mut *step, &record).await;
        (reader, record, step)
    }

    /// A dead letter of `record` and a delayed copy of it, and its settlement.
    async fn fill(&self, step: &mut dyn Transaction, record: &Record) {
        let letter = record
            .message
            .clone()
            .destination(self.letters.as_str())
            .header(names::ORIGINAL_DESTINATION, self.orders.as_str())
            .header(names::ORIGINAL_PARTITION, "0")
            .header(names::ERROR_REASON, "exhausted");
        let copy = record
            .message
            .clone()
            .destination(self.copies.as_str())
            .header(names::DUE, "1");
        step.publish(&[letter, copy]).await.unwrap();
        let settlement = Settlement {
            lane: record.lane,
            position: record.position + 1,
            epoch: record.epoch,
            action: Action::Commit { saved: None },
        };
        step.settle(&[settlement]).await.unwrap();
    }

    /// How many dead letters and copies a reader may see that sees only what is committed.
    async fn visible(&self, binder: &KafkaBinder) -> [usize; 2] {
        [
            browse(binder, &self.letters).await.len(),
            browse(binder, &self.copies).await.len(),
        ]
    }

    /// Waits until the broker has stored something of the open transaction in both topics.
    async fn stored(&self, servers: &str) {
        let servers = servers.to_owned();
        let topics = [self.letters.clone(), self.copies.clone()];
        let waiting = tokio::task::spawn_blocking(move || {
            let client: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", servers)
                .set("isolation.level", "read_uncommitted")
                .create()
                .unwrap();
            let patience = Duration::from_secs(20);
            for topic in topics {
                while client.fetch_watermarks(&topic, 0, patience).unwrap().1 == 0 {}
            }
        });
        waiting.await.unwrap();
    }
}

/// The settings of the process `one`: transactions of the next process of this name end those of the one before.
fn named(servers: &str) -> KafkaSettings {
    let mut named = settings(servers);
    named.instance = Some("one".to_owned());
    named
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_step_leaves_no_letter_no_copy_and_no_position() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let place = Place::new(&binder).await;
    let (reader, _, mut step) = place.begun(&binder).await;
    place.stored(&address).await;
    assert_eq!(place.visible(&binder).await, [0, 0], "before the end");
    step.abort().await.unwrap();
    assert_eq!(place.visible(&binder).await, [0, 0], "after the end");
    drop(step);
    reader.consumer.close().await.unwrap();
    let mut again = Reader::open(&binder, &place.spec()).await;
    assert_eq!(text(&again.take(1).await[0]), "0", "it is not committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_leaves_no_letter_no_copy_and_no_position() {
    let Some(door) = door().await else {
        return;
    };
    let address = broker().await.unwrap();
    let proxy = ProxyOptions::default()
        .port(door.listen.port())
        .to(door.upstream.to_string())
        .unwrap();
    let binder = connect(settings(&address)).await;
    let place = Place::new(&binder).await;
    let victim = connect(named(&proxy.addr().to_string())).await;
    let (_reader, _, step) = place.begun(&victim).await;
    place.stored(&address).await;
    // Nothing that it still does reaches the cluster.
    proxy.incoming(Incoming::Refuse);
    proxy.cut(Cut::Reset);
    assert_eq!(place.visible(&binder).await, [0, 0], "while it is open");

    let successor = connect(named(&address)).await;
    let mut owner = Reader::open(&successor, &place.spec()).await;
    let mut own_step = owner.consumer.transaction().await.unwrap();
    assert_eq!(place.visible(&binder).await, [0, 0], "after the crash");
    let again = owner.take(1).await.remove(0);
    assert_eq!(text(&again), "0", "it is not committed");
    place.fill(&mut *own_step, &again).await;
    own_step.commit().await.unwrap();
    assert_eq!(place.visible(&binder).await, [1, 1], "once each");
    drop((step, own_step));
    owner.consumer.close().await.unwrap();
    let mut last = Reader::open(&successor, &place.spec()).await;
    assert_eq!(text(&last.take(1).await[0]), "1", "it is committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_which_something_cannot_be_stored_has_no_effect_and_the_next_one_has() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let place = Place::new(&binder).await;
    let (_reader, record, mut step) = place.begun(&binder).await;
    let odd = Message::new("x").destination(format!("{}-nowhere", place.orders));
    step.publish(&[odd]).await.unwrap();
    let error = step.commit().await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::NotFound || error.kind() == ErrorKind::Lost,
        "{error:?}"
    );
    step.abort().await.unwrap();
    assert_eq!(place.visible(&binder).await, [0, 0]);
    place.fill(&mut *step, &record).await;
    step.commit().await.unwrap();
    assert_eq!(place.visible(&binder).await, [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_commits_retries_and_dead_letters_with_their_inputs() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let orders = topic(&binder, "orders", 2).await;
    publish(&binder, &orders, &[Message::new("a"), Message::new("b")]).await;
    let calls = Arc::new(AtomicU32::new(0));
    let own = calls.clone();
    let refuse = move |_: Text| {
        own.fetch_add(1, Ordering::Relaxed);
        async { Err::<(), _>(Failure::retry("no")) }
    };
    let bindings = format!(
        "[bindings.orders]\ndestination = '{orders}'\n[bindings.orders.consumer]\nguarantee = 'exactly_once'\nordering = 'none'\n\
         retry = {{ attempts = 1, delayed = ['200ms'] }}\n"
    );
    let shop = name("shop");
    let running = app(&address, &shop, &bindings)
        .sink("orders", refuse)
        .build()
        .unwrap()
        .start()
        .await
        .unwrap();
    let letters = format!("{orders}.{shop}.dlq");
    until("both have died", async || {
        browse(&binder, &letters).await.len() >= 2
    })
    .await;
    running.stop().await.unwrap();
    // A step that was undone is handled again; what counts is its effect.
    assert!(calls.load(Ordering::Relaxed) >= 4, "two attempts each");
    assert_eq!(browse(&binder, &letters).await.len(), 2, "once each");
    let copies = browse(&binder, &format!("{orders}.{shop}.retry.200ms")).await;
    assert_eq!(copies.len(), 2, "once each");
    for topic in [orders.clone(), format!("{orders}.{shop}.retry.200ms")] {
        let lag = binder.admin().lag(&topic, &shop).await.unwrap();
        assert_eq!(lag.messages, 0, "{topic}");
    }
}
