//! What the settings say.

use super::good;
use mq_core::config::Config;
use mq_core::policy::{Exhausted, Ordering, Provision, Start, Unmatched};
use std::time::{Duration, UNIX_EPOCH};

#[test]
fn the_defaults_are_those_that_are_written_down() {
    let settings = good(&Config::toml("[bindings.orders]"));
    assert_eq!(
        (settings.app.drain, settings.app.strict_bindings),
        (Duration::from_secs(25), false)
    );
    let orders = &settings.bindings["orders"];
    assert_eq!(orders.destinations("orders"), ["orders"]);
    let consumer = &orders.consumer;
    assert_eq!(
        (consumer.enabled, consumer.concurrency, consumer.ordering),
        (true, 8, Ordering::Key)
    );
    assert_eq!(consumer.timeout, Some(Duration::from_secs(30)));
    assert_eq!(
        (consumer.exhausted, consumer.unmatched),
        (Exhausted::DeadLetter, Unmatched::DeadLetter)
    );
    assert_eq!(
        (consumer.start, consumer.provision),
        (Start::Earliest, Provision::Create)
    );
    assert_eq!(consumer.dead_letter.max_metadata, 8 * 1024);
    assert_eq!(
        (consumer.window.messages, consumer.window.bytes),
        (10_000, 64 << 20)
    );
    assert_eq!(
        consumer.retry.to_string(),
        "3 in place (100 ms to 10 s); 3 calls"
    );
    assert!(
        consumer.idempotency.is_none()
            && consumer.circuit_breaker.is_none()
            && consumer.batch.is_none()
    );
}

const DESIGN: &str = r#"
[app]
name = "billing"
[binders.main]
kind = "broker"
path = "data"
[bindings.orders]
destination = ["shop.orders", "shop.refunds"]
group = "billing"
binder = "main"
[bindings.orders.consumer]
concurrency = 8
ordering = "partition"
retry = { attempts = 5, initial = "100ms", factor = 2, max = "10s", delayed = ["1m", "10m"] }
exhausted = "stop"
dead_letter = { destination = "shop.orders.billing.dlq" }
idempotency = { store = "shop-db", key = "header:order-id", ttl = "7d" }
circuit_breaker = { failures = 0.25, window = "30s", pause = "10s" }
batch = { max = 500, wait = "50ms" }
start = { time = 2026-01-01T00:00:00Z }
max_payload = "1MiB"
native = { "fetch.min.bytes" = 1 }
[bindings.invoices]
producer = { key = "payload.customer", partitions = 12, required_groups = "ledger" }
[stores.shop-db]
kind = "postgres"
url = "postgres://db/shop"
"#;

#[test]
fn the_whole_example_of_the_design_is_read() {
    let settings = good(&Config::toml(DESIGN));
    let orders = &settings.bindings["orders"];
    let consumer = &orders.consumer;
    assert_eq!(
        orders.destinations("orders"),
        ["shop.orders", "shop.refunds"]
    );
    assert_eq!(consumer.retry.calls(), 7);
    let idempotency = consumer.idempotency.as_ref().expect("idempotency");
    assert_eq!(
        (idempotency.key.as_deref(), idempotency.lease),
        (Some("header:order-id"), Duration::from_secs(60))
    );
    assert_eq!(
        consumer
            .circuit_breaker
            .as_ref()
            .map(|breaker| (breaker.failures, breaker.minimum)),
        Some((0.25, 10))
    );
    assert_eq!(consumer.batch.as_ref().map(|batch| batch.max), Some(500));
    assert_eq!(
        consumer.start,
        Start::Time(UNIX_EPOCH + Duration::from_secs(1_767_225_600))
    );
    assert_eq!(consumer.max_payload, Some(1 << 20));
    assert_eq!(
        consumer
            .native
            .get("fetch.min.bytes")
            .map(ToString::to_string)
            .as_deref(),
        Some("1")
    );
    let invoices = &settings.bindings["invoices"].producer;
    assert_eq!(
        (invoices.partitions, invoices.required_groups.as_slice()),
        (Some(12), ["ledger".to_owned()].as_slice())
    );
    assert_eq!(
        (
            settings.stores["shop-db"].kind.as_str(),
            settings.binders["main"].kind.as_str()
        ),
        ("postgres", "broker")
    );
}

#[test]
fn none_turns_an_optional_setting_off_and_names_no_group() {
    let config = Config::toml(
        "[bindings.x]\ngroup = 'none'\nconsumer = { timeout = 'none', circuit_breaker = 'none' }",
    )
    .attribute(
        "bindings.x.consumer.circuit_breaker.failures",
        0.5,
        "src/x.rs",
        1,
    );
    let x = good(&config).bindings["x"].clone();
    assert!(x.is_anonymous());
    assert_eq!(
        (x.consumer.timeout, x.consumer.circuit_breaker),
        (None, None)
    );
}

#[test]
fn the_short_form_of_idempotency_takes_more_from_stronger_sources() {
    let short =
        Config::toml("").attribute("bindings.x.consumer.idempotency", "shop-db", "src/x.rs", 1);
    let policy = |config: &Config| good(config).bindings["x"].consumer.idempotency.clone();
    assert_eq!(
        policy(&short),
        Some(mq_core::policy::IdempotencyPolicy::new("shop-db"))
    );
    let longer = short.set("bindings.x.consumer.idempotency.ttl", "1d");
    let policy = policy(&longer).expect("idempotency");
    assert_eq!(
        (policy.store.as_str(), policy.ttl),
        ("shop-db", Duration::from_secs(86_400))
    );
}

#[test]
fn blank_tables_of_yaml_are_empty() {
    let settings = good(&Config::yaml(
        "app:\nbindings:\n  orders:\n  lines:\n    consumer:\n",
    ));
    assert_eq!(settings.bindings.len(), 2);
}
