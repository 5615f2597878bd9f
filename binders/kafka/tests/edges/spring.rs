//! A whole application among Spring Cloud Stream's: what it makes of their records, and what it writes for them, byte for byte.

use std::{collections::BTreeMap, time::Duration};

use mq_core::{
    app::{App, RunningApp},
    binder::{Binder, Delivery, DestinationInfo},
    config::Config,
    message::Message,
    outcome::Failure,
};
use mq_testkit::harness::Server;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::{Header, Headers as _, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};
use tokio::task::spawn_blocking;

use crate::place::{connect, name, server, settings, topic};

/// The type map that Spring writes beside the headers of these records.
const TYPES: &str = r#"{"scst_partition":"java.lang.Integer","x-trace":"java.lang.String","x-id":"java.util.UUID","x-n":"java.lang.Integer","contentType":"java.lang.String"}"#;
const ORDER: &[u8] = br#"{"customer":"customer-1","to":"Nowhere"}"#;

/// What a producer of Spring sends with a partition key: no record key, and the partition told.
fn headers() -> [(&'static str, &'static [u8]); 6] {
    [
        ("scst_partition", b"2"),
        ("x-trace", "žluťoučký 🐎".as_bytes()),
        ("x-id", br#""6be16ffe-3a8c-4a8e-9b0e-6d6c2a1d9f10""#),
        ("x-n", b"7"),
        ("contentType", b"application/json"),
        ("spring_json_header_types", TYPES.as_bytes()),
    ]
}

/// Writes a record as Spring does; returns its offset.
async fn write(server: &Server, topic: &str, key: Option<&'static [u8]>, partition: i32) {
    let (servers, topic) = (server.addr(), topic.to_owned());
    let writing = spawn_blocking(move || {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .create()
            .expect("a producer");
        let own = headers()
            .into_iter()
            .fold(OwnedHeaders::new(), |own, (name, value)| {
                own.insert(Header {
                    key: name,
                    value: Some(value),
                })
            });
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&topic)
            .payload(ORDER)
            .partition(partition)
            .timestamp(1_700_000_000_123)
            .headers(own);
        record.key = key;
        let sent = producer.send(record);
        sent.map_err(|(error, _)| error).expect("sent");
        producer.flush(Duration::from_secs(20)).expect("flushed");
    });
    writing.await.expect("no panic");
}

/// A record as it is in the topic.
#[derive(Debug)]
struct Raw {
    partition: i32,
    offset: i64,
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    headers: BTreeMap<String, Vec<u8>>,
}

impl Raw {
    fn types(&self) -> BTreeMap<String, String> {
        serde_json::from_slice(&self.headers["spring_json_header_types"]).expect("a map of types")
    }

    fn text(&self, name: &str) -> &str {
        std::str::from_utf8(&self.headers[name]).expect("text")
    }
}

/// The first record of a topic, wherever it is.
async fn raw(server: &Server, topic: &str, partitions: i32) -> Raw {
    let (servers, topic) = (server.addr(), topic.to_owned());
    let reading = spawn_blocking(move || {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("group.id", "raw")
            .create()
            .expect("a consumer");
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(&topic, partition, Offset::Beginning)
                .expect("a place");
        }
        client.assign(&list).expect("assigned");
        let message = client
            .poll(Duration::from_secs(30))
            .expect("a record")
            .expect("no error");
        let headers = message.headers().expect("headers").iter();
        Raw {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().unwrap_or_default().to_vec(),
            headers: headers
                .map(|one| (one.key.to_owned(), one.value.unwrap_or_default().to_vec()))
                .collect(),
        }
    });
    reading.await.expect("no panic")
}

/// An application with one listener and one output.
fn app(server: &Server, orders: &str, invoices: &str) -> App {
    let config = format!(
        "[app]\nname = 'billing'\n[binders.main]\nkind = 'kafka'\nservers = '{}'\nheaders = 'spring'\ntimeout = '20s'\n\
         [bindings.orders]\ndestination = '{orders}'\n[bindings.invoices]\ndestination = '{invoices}'\nproducer.partitions = 3\n",
        server.addr()
    );
    App::builder()
        .config(Config::toml(config))
        .binder_kind(mq_kafka::FACTORY)
}

async fn started(app: App) -> RunningApp {
    app.build().expect("a plan").start().await.expect("a start")
}

/// Passes on what came, with a report of how it was understood.
async fn bill(order: Delivery) -> Result<Message, Failure> {
    let headers = order.headers();
    let found = ["x-trace", "x-id", "x-n"].map(|name| headers.text(name).map(str::to_owned));
    let json = order.message().as_content_type().map(ToString::to_string);
    let report = format!("{found:?} {json:?}");
    let passed = headers.iter().fold(
        Message::new(r#"{"invoice":1}"#),
        |message, (name, value)| message.header(name.to_owned(), value.clone()),
    );
    Ok(passed
        .content_type("application/json")
        .key("customer-1")
        .header("x-report", report))
}

/// What Spring's binder writes for a partition key, from its own `String.hashCode`: customer-1 of three is 2.
#[tokio::test(flavor = "multi_thread")]
async fn an_application_reads_springs_records_and_writes_records_for_spring() {
    let Some(server) = server().await else { return };
    let binder = connect(settings(server)).await;
    let (orders, invoices) = (
        topic(&binder, "it.orders", 3).await,
        topic(&binder, "it.invoices", 3).await,
    );
    write(server, &orders, None, 2).await;
    let running =
        started(app(server, &orders, &invoices).processor("orders", "invoices", bill)).await;
    let invoice = raw(server, &invoices, 3).await;
    running.stop().await.expect("stopped");
    assert_eq!(
        invoice.text("x-report"),
        r#"[Some("žluťoučký 🐎"), Some("6be16ffe-3a8c-4a8e-9b0e-6d6c2a1d9f10"), Some("7")] Some("application/json")"#
    );
    assert_eq!(
        (invoice.partition, invoice.value.as_slice()),
        (2, &br#"{"invoice":1}"#[..])
    );
    let expected: [(&str, &[u8]); 4] = [
        ("contentType", b"application/json"),
        ("x-trace", "žluťoučký 🐎".as_bytes()),
        ("x-id", br#""6be16ffe-3a8c-4a8e-9b0e-6d6c2a1d9f10""#),
        ("x-n", b"7"),
    ];
    for (name, value) in expected {
        assert_eq!(invoice.headers[name], value, "{name}");
    }
    assert!(
        !invoice.headers.contains_key("scst_partition")
            && !invoice.headers.contains_key("content-type")
    );
    let types = invoice.types();
    let expected = [
        ("contentType", "java.lang.String"),
        ("x-trace", "java.lang.String"),
        ("x-report", "java.lang.String"),
        ("x-id", "java.util.UUID"),
        ("x-n", "java.lang.Integer"),
    ];
    for (name, java) in expected {
        assert_eq!(types.get(name).map(String::as_str), Some(java), "{name}");
    }
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_applications_dead_letters_are_springs() {
    let Some(server) = server().await else { return };
    let binder = connect(settings(server)).await;
    let (orders, invoices) = (topic(&binder, "it.orders", 3).await, name("it.invoices"));
    write(server, &orders, Some(b"k"), 2).await;
    let refuse = |_: Delivery| async {
        Err::<Message, _>(Failure::dead_letter("no shipping to Nowhere").kind("shop::NoShipping"))
    };
    let running =
        started(app(server, &orders, &invoices).processor("orders", "invoices", refuse)).await;
    let letters = format!("error.{orders}.billing");
    let listed = binder.admin().destinations().await.expect("topics");
    let made: Vec<&DestinationInfo> = listed.iter().filter(|one| *one.name == *letters).collect();
    assert_eq!(
        made.first().map(|one| one.partitions),
        Some(3),
        "as many as the source has"
    );
    let letter = raw(server, &letters, 3).await;
    running.stop().await.expect("stopped");
    assert_eq!(
        (
            letter.partition,
            letter.key.as_deref(),
            letter.value.as_slice()
        ),
        (2, Some(&b"k"[..]), ORDER)
    );
    // Copied byte for byte, but the number of a partition that has no meaning where the record is read.
    for (name, value) in headers() {
        if !matches!(name, "scst_partition" | "spring_json_header_types") {
            assert_eq!(letter.headers[name], value, "{name}");
        }
    }
    let expected: [(&str, &[u8]); 8] = [
        ("x-original-topic", orders.as_bytes()),
        ("x-original-partition", &2_i32.to_be_bytes()),
        ("x-original-offset", &0_i64.to_be_bytes()),
        ("x-original-timestamp", &1_700_000_000_123_i64.to_be_bytes()),
        ("x-original-timestamp-type", b"CreateTime"),
        ("x-exception-fqcn", b"shop::NoShipping"),
        ("x-exception-message", b"no shipping to Nowhere"),
        (
            "x-exception-stacktrace",
            b"shop::NoShipping: no shipping to Nowhere",
        ),
    ];
    let types = letter.types();
    for (name, value) in expected {
        assert_eq!(letter.headers[name], value, "{name}");
        assert!(!types.contains_key(name), "Spring reads {name} as bytes");
    }
    let came: BTreeMap<String, String> = serde_json::from_str(TYPES).expect("types");
    for (name, java) in came.iter().filter(|(name, _)| *name != "scst_partition") {
        assert_eq!(types.get(name), Some(java), "{name}");
    }
    assert_eq!(letter.offset, 0, "one letter");
    binder.close().await.expect("closed");
}
