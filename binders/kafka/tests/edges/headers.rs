//! `headers = "spring"`: raw records, as a Spring Cloud Stream application writes and reads them.

use std::{collections::BTreeMap, time::Duration};

use mq_core::{
    binder::{Binder, Cursor},
    message::{ContentType, Message, MessageId, names},
};
use mq_kafka::{HeaderStyle, KafkaBinder, KafkaSettings};
use mq_testkit::harness::Server;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::{Header, Headers as _, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};

use crate::place::{connect, publish, read, server, settings, topic};

async fn spring(server: &Server) -> KafkaBinder {
    let mut settings: KafkaSettings = settings(server);
    settings.headers = HeaderStyle::Spring;
    connect(settings).await
}

type Raw = BTreeMap<String, Vec<u8>>;

/// The headers of the first record of a partition, and the record's partition.
async fn raw(server: &Server, topic: &str, partition: i32) -> Raw {
    let (servers, topic) = (server.addr(), topic.to_owned());
    let reading = tokio::task::spawn_blocking(move || {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("group.id", "raw")
            .create()
            .expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&topic, partition, Offset::Beginning)
            .expect("a place");
        client.assign(&list).expect("assigned");
        let message = client
            .poll(Duration::from_secs(20))
            .expect("a record")
            .expect("no error");
        let headers = message.headers().expect("headers").iter();
        headers
            .map(|one| (one.key.to_owned(), one.value.unwrap_or_default().to_vec()))
            .collect()
    });
    reading.await.expect("no panic")
}

/// Writes a record as another program would.
async fn write(server: &Server, topic: &str, headers: &[(&str, &[u8])]) {
    let mut own = OwnedHeaders::new();
    for (name, value) in headers {
        own = own.insert(Header {
            key: name,
            value: Some(*value),
        });
    }
    let (servers, topic) = (server.addr(), topic.to_owned());
    let writing = tokio::task::spawn_blocking(move || {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .create()
            .expect("a producer");
        let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&topic)
            .payload(b"{}".as_slice())
            .headers(own);
        producer
            .send(record)
            .map_err(|(error, _)| error)
            .expect("sent");
        producer.flush(Duration::from_secs(20)).expect("flushed");
    });
    writing.await.expect("no panic");
}

fn types(raw: &Raw) -> BTreeMap<String, String> {
    serde_json::from_slice(&raw["spring_json_header_types"]).expect("a map of types")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_write_is_what_a_spring_application_expects() {
    let Some(server) = server().await else { return };
    let binder = spring(server).await;
    let topic = topic(&binder, "written", 1).await;
    let message = Message::new("{}")
        .content_type("application/json")
        .id(MessageId::from("order-7"))
        .header("x-trace", "žluťoučký 🐎")
        .header("x-bytes", vec![0xFF, 0x00]);
    publish(&binder, &topic, &[message]).await;
    let raw = raw(server, &topic, 0).await;
    let text = |name: &str| std::str::from_utf8(&raw[name]).expect("text");
    assert_eq!(text("contentType"), "application/json");
    assert_eq!(text("x-trace"), "žluťoučký 🐎");
    assert_eq!(text("mq-id"), "order-7");
    assert_eq!(raw["x-bytes"], [0xFF, 0x00]);
    assert!(!raw.contains_key("content-type"));
    let types = types(&raw);
    assert_eq!(
        (types["contentType"].as_str(), types["x-trace"].as_str()),
        ("java.lang.String", "java.lang.String")
    );
    assert!(!types.contains_key("x-bytes"));
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_spring_application_writes_is_read_and_passed_on() {
    let Some(server) = server().await else { return };
    let binder = spring(server).await;
    let (topic, onward) = (
        topic(&binder, "foreign", 1).await,
        topic(&binder, "onward", 1).await,
    );
    let types_of = r#"{"scst_partition":"java.lang.Integer","x-trace":"java.lang.String","x-old":"java.lang.String","x-n":"java.lang.Long","x-id":"java.util.UUID","x-list":"java.util.ImmutableCollections$List12","contentType":"java.lang.String"}"#;
    let uuid = "6be16ffe-3a8c-4a8e-9b0e-6d6c2a1d9f10";
    let quoted = format!("\"{uuid}\"");
    let headers: [(&str, &[u8]); 8] = [
        ("scst_partition", b"2"),
        ("x-trace", "order-trace-0".as_bytes()),
        ("x-old", br#""quo\"ted""#),
        ("x-n", b"8"),
        ("x-id", quoted.as_bytes()),
        ("x-list", br#"["a","b"]"#),
        ("contentType", br#""application/json""#),
        ("spring_json_header_types", types_of.as_bytes()),
    ];
    write(server, &topic, &headers).await;
    let message = read(&binder, &topic, 1).await.remove(0).message;
    assert_eq!(
        message.as_content_type().map(ContentType::as_str),
        Some("application/json")
    );
    let found = message.as_headers();
    let expected = [
        ("x-trace", "order-trace-0"),
        ("x-old", "quo\"ted"),
        ("x-n", "8"),
        ("x-id", uuid),
        ("x-list", r#"["a","b"]"#),
    ];
    for (name, value) in expected {
        assert_eq!(found.text(name), Some(value), "{name}");
    }
    publish(&binder, &onward, &[message]).await;
    let raw = raw(server, &onward, 0).await;
    assert_eq!(raw["x-id"], quoted.as_bytes(), "a UUID keeps its quotes");
    assert_eq!(
        (raw["x-n"].as_slice(), raw["x-old"].as_slice()),
        (&b"8"[..], &b"quo\"ted"[..])
    );
    assert!(
        !raw.contains_key("scst_partition"),
        "it is wrong on another topic"
    );
    let types = types(&raw);
    assert_eq!(
        (types["x-id"].as_str(), types["x-n"].as_str()),
        ("java.util.UUID", "java.lang.Long")
    );
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_record_without_types_keeps_its_bytes() {
    let Some(server) = server().await else { return };
    let binder = spring(server).await;
    let topic = topic(&binder, "plain", 1).await;
    let headers: [(&str, &[u8]); 3] = [
        ("contentType", b"application/json"),
        ("x", b"\"y\""),
        ("b", &[0xFF]),
    ];
    write(server, &topic, &headers).await;
    let message = read(&binder, &topic, 1).await.remove(0).message;
    assert_eq!(
        message.as_content_type().map(ContentType::as_str),
        Some("application/json")
    );
    assert_eq!(message.as_headers().text("x"), Some("\"y\""));
    assert_eq!(
        &message.as_headers().get("b").expect("bytes").as_bytes()[..],
        [0xFF]
    );
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_dead_letters_look_like_springs() {
    let Some(server) = server().await else { return };
    let binder = spring(server).await;
    let topic = topic(&binder, "letters", 1).await;
    let time = std::time::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    let letter = Message::new("{}")
        .timestamp(time)
        .header("x-trace", "t")
        .header(names::ORIGINAL_DESTINATION, "it.orders")
        .header(names::ORIGINAL_PARTITION, "2")
        .header(names::ORIGINAL_POSITION, "258")
        .header(names::ORIGINAL_GROUP, "billing")
        .header(names::ATTEMPT, "3")
        .header(names::ERROR_REASON, "exhausted")
        .header(names::ERROR_TYPE, "shop::NoShipping")
        .header(names::ERROR_MESSAGE, "no shipping to Nowhere");
    publish(&binder, &topic, &[letter]).await;
    let raw = raw(server, &topic, 0).await;
    let expected: [(&str, &[u8]); 8] = [
        ("x-original-topic", b"it.orders"),
        ("x-original-partition", &[0, 0, 0, 2]),
        ("x-original-offset", &[0, 0, 0, 0, 0, 0, 1, 2]),
        ("x-original-timestamp", &1_700_000_000_123_i64.to_be_bytes()),
        ("x-original-timestamp-type", b"CreateTime"),
        ("x-exception-fqcn", b"shop::NoShipping"),
        ("x-exception-message", b"no shipping to Nowhere"),
        (
            "x-exception-stacktrace",
            b"shop::NoShipping: no shipping to Nowhere",
        ),
    ];
    for (name, value) in expected {
        assert_eq!(raw[name], value, "{name}");
        assert!(!types(&raw).contains_key(name), "{name}");
    }
    assert!(!raw.contains_key(names::ERROR_MESSAGE) && raw.contains_key(names::ATTEMPT));
    let message = read(&binder, &topic, 1).await.remove(0).message;
    let found = message.as_headers();
    let back = [
        (names::ORIGINAL_DESTINATION, "it.orders"),
        (names::ORIGINAL_PARTITION, "2"),
        (names::ORIGINAL_POSITION, "258"),
        (names::ERROR_REASON, "exhausted"),
        (names::ERROR_TYPE, "shop::NoShipping"),
        (names::ERROR_MESSAGE, "no shipping to Nowhere"),
        ("x-trace", "t"),
    ];
    for (name, value) in back {
        assert_eq!(found.text(name), Some(value), "{name}");
    }
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn springs_dead_letters_tell_their_cause() {
    let Some(server) = server().await else { return };
    let binder = spring(server).await;
    let topic = topic(&binder, "springs", 1).await;
    let trace = format!(
        "org.springframework.messaging.MessagingException: exhausted\n{}Caused by: shop.NoShipping: no shipping to Nowhere: dl-3\n\tat shop.Bill",
        "\tat x.Y\n".repeat(2_000)
    );
    let headers: [(&str, &[u8]); 8] = [
        ("x-original-topic", b"it.orders"),
        ("x-original-partition", &[0, 0, 0, 2]),
        ("x-original-offset", &[0, 0, 0, 0, 0, 0, 0, 2]),
        ("x-original-timestamp", &5_i64.to_be_bytes()),
        ("x-original-timestamp-type", b"CreateTime"),
        (
            "x-exception-fqcn",
            b"org.springframework.messaging.MessagingException",
        ),
        ("x-exception-message", b"error occurred in message handler"),
        ("x-exception-stacktrace", trace.as_bytes()),
    ];
    write(server, &topic, &headers).await;
    let shown = binder
        .admin()
        .browse(&topic, &mut Cursor::default(), 10)
        .await
        .expect("a page");
    let found = shown[0].message.as_headers();
    let expected = [
        (names::ORIGINAL_DESTINATION, "it.orders"),
        (names::ORIGINAL_PARTITION, "2"),
        (names::ORIGINAL_POSITION, "2"),
        (names::ERROR_REASON, "exhausted"),
        (
            names::ERROR_TYPE,
            "org.springframework.messaging.MessagingException",
        ),
        (
            names::ERROR_MESSAGE,
            "shop.NoShipping: no shipping to Nowhere: dl-3",
        ),
    ];
    for (name, value) in expected {
        assert_eq!(found.text(name), Some(value), "{name}");
    }
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_go_to_the_partitions_that_spring_chooses() {
    let Some(server) = server().await else { return };
    let binder = spring(server).await;
    let topic = topic(&binder, "partitioned", 3).await;
    let messages: Vec<_> = (0..7)
        .map(|n| Message::new(n.to_string()).key(format!("customer-{n}")))
        .collect();
    publish(&binder, &topic, &messages).await;
    let shown = binder
        .admin()
        .browse(&topic, &mut Cursor::default(), 10)
        .await
        .expect("a page");
    let mut found: Vec<_> = shown
        .iter()
        .map(|one| (one.message.as_bytes().to_vec(), one.partition))
        .collect();
    found.sort();
    let partitions: Vec<_> = found.into_iter().map(|(_, partition)| partition).collect();
    assert_eq!(partitions, [0, 2, 1, 0, 2, 1, 0]);
    assert_eq!(
        binder
            .capabilities()
            .naming
            .dead_letters("it.orders", Some("billing")),
        "error.it.orders.billing"
    );
    binder.close().await.expect("closed");
}
