//! The cluster that the tests share, and short ways to use it.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use mq_core::{
    binder::{
        Binder, BinderContext, Browsed, ConsumerSpec, Cursor, DestinationPlan, Event, ProducerSpec,
        Record,
    },
    message::Message,
    policy::Provision,
};
use mq_kafka::{KafkaBinder, KafkaSettings};
use mq_testkit::harness::{Kind, Server, ServerOptions};
use tokio::{
    runtime::Runtime,
    sync::OnceCell,
    time::{sleep, timeout},
};

/// The longest that anything may take which has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}

/// A secured server; `None` after a printed skip.
pub(crate) async fn server() -> Option<&'static Server> {
    static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();
    let opening = || async {
        let options = ServerOptions::new(Kind::Kafka).secured();
        let opened = runtime().spawn(options.available()).await;
        opened.expect("no panic").expect("a server that starts")
    };
    SERVER.get_or_init(opening).await.as_ref()
}

/// A name that no other test uses.
pub(crate) fn name(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{what}-{}-{number}", std::process::id())
}

/// Settings for the plain listener.
pub(crate) fn settings(server: &Server) -> KafkaSettings {
    let mut settings = KafkaSettings::default();
    settings.servers = server.addr();
    settings.session_timeout = Duration::from_secs(6);
    // A machine that is busy with other tests answers late.
    settings.timeout = Duration::from_secs(20);
    settings
}

pub(crate) async fn connect(settings: KafkaSettings) -> KafkaBinder {
    let context = BinderContext::new("main", "edges");
    KafkaBinder::connect(settings, &context)
        .await
        .expect("settings")
}

/// A topic with so many partitions.
pub(crate) async fn topic(binder: &KafkaBinder, what: &str, partitions: u32) -> String {
    let topic = name(what);
    let plan = [DestinationPlan::new(topic.as_str()).partitions(partitions)];
    // As an application does: what is temporary is tried again.
    let making = async {
        loop {
            match binder.provision(&plan, Provision::Create).await {
                Err(error) if error.is_temporary() => {}
                made => return made,
            }
        }
    };
    let made = timeout(PATIENCE * 2, making).await;
    made.expect("in time").expect("the topic is made");
    topic
}

pub(crate) async fn publish(binder: &KafkaBinder, topic: &str, messages: &[Message]) {
    let producer = binder.producer(&ProducerSpec::new(topic)).await;
    let producer = producer.expect("a producer");
    for result in producer.publish(messages).await {
        result.expect("a confirmation");
    }
}

/// Everything in a topic that a reader without a group may see.
pub(crate) async fn browse(binder: &KafkaBinder, topic: &str) -> Vec<Browsed> {
    let mut cursor = Cursor::default();
    let mut all = Vec::new();
    loop {
        let page = binder.admin().browse(topic, &mut cursor, 1_000).await;
        let page = page.expect("a page");
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// So many messages of a topic, as a new group.
pub(crate) async fn read(binder: &KafkaBinder, topic: &str, count: usize) -> Vec<Record> {
    let group = name("reader");
    let consumer = binder
        .consumer(&ConsumerSpec::new(topic, Some(&group)))
        .await;
    let mut consumer = consumer.expect("a consumer");
    let mut records = Vec::new();
    let reading = async {
        while records.len() < count {
            if let Event::Ended(error) =
                consumer.receive(&mut records, 100).await.expect("an event")
            {
                panic!("the subscription has ended: {}", error.chain());
            }
        }
    };
    timeout(PATIENCE, reading)
        .await
        .expect("all messages in time");
    consumer.close().await.expect("an end");
    records
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(
        timeout(PATIENCE, waiting).await.is_ok(),
        "it has not come to it: {what}"
    );
}
