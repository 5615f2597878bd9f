//! Settings that are wrong are told with their path and the way to fix them, before anything is connected.

use mq_core::{
    binder::{BinderFactory, ConsumerSpec, ProducerSpec},
    config::Config,
};
use mq_kafka::{FACTORY, KafkaFactory, Token};

/// The problems of `[binders.main]` with these settings.
fn problems(factory: &KafkaFactory, settings: &str) -> String {
    let config = Config::toml(format!("[binders.main]\nkind = 'kafka'\n{settings}"));
    let (found, _) = config.settings().expect("settings");
    match factory.configure(&found.binders["main"].rest) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    }
}

fn wrong(settings: &str, words: &[&str]) {
    let text = problems(FACTORY, settings);
    assert!(!text.is_empty(), "accepted: {settings}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

fn right(settings: &str) {
    let text = problems(FACTORY, settings);
    assert!(text.is_empty(), "{settings}: {text}");
}

#[test]
fn names_of_native_properties_are_checked() {
    wrong(
        "native = { 'fetch.wait.max' = 5 }",
        &[
            "binders.main.native.\"fetch.wait.max\"",
            "fetch.wait.max.ms",
            "line 3",
        ],
    );
    wrong("native = { 'enable.auto.commit' = true }", &["guarantees"]);
    wrong("native = { 'bootstrap.servers' = 'x:1' }", &["`servers`"]);
    wrong(
        "native = { 'linger.ms' = 'soon' }",
        &["linger.ms", "Invalid value"],
    );
    wrong(
        "native = { 'fetch.wait.max.ms' = -5 }",
        &["binders.main.native.\"fetch.wait.max.ms\"", "range"],
    );
    right("native = { 'fetch.wait.max.ms' = 50, 'linger.ms' = 0, 'socket.timeout.ms' = 5000 }");
}

#[test]
fn native_properties_of_a_binding_are_checked_for_its_side() {
    let config = Config::toml(
        "[binders.main]
kind = 'kafka'
[bindings.orders]
destination = 'orders'
[bindings.orders.consumer]
native = { 'linger.ms' = 5, 'fetch.min.byte' = 1, 'socket.timeout.ms' = 1000 }
[bindings.orders.producer]
native = { 'fetch.min.bytes' = 1, 'linger.ms' = 5 }",
    );
    let (settings, _) = config.settings().expect("settings");
    let connector = FACTORY.configure(&settings.binders["main"].rest);
    let connector = connector.expect("settings that are right");
    let binding = &settings.bindings["orders"];
    let mut consumer = ConsumerSpec::new("orders", Some("billing"));
    consumer.native = binding.consumer.native.clone();
    let text = connector.check_consumer(&consumer).to_string();
    for word in [
        "bindings.orders.consumer.native.\"linger.ms\"",
        "producers",
        "`fetch.min.bytes`?",
        "2 problems",
        "line 6",
    ] {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
    let mut producer = ProducerSpec::new("orders");
    producer.native = binding.producer.native.clone();
    let text = connector.check_producer(&producer).to_string();
    for word in [
        "bindings.orders.producer.native.\"fetch.min.bytes\"",
        "consumers",
        "1 problem,",
    ] {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let settings = "servers = ' '\npartitions = 0\ntopic = { 'retention.mss' = 5 }\nnative = { 'fetch.wait' = 1 }";
    wrong(
        settings,
        &[
            "servers",
            "partitions",
            "retention.ms`?",
            "native",
            "4 problems",
        ],
    );
    wrong("headers = 'sprung'", &["spring"]);
}

#[test]
fn combinations_of_security_that_cannot_work_are_refused() {
    let security = |rest: &str| format!("[binders.main.security]\n{rest}");
    let wrong = |rest: &str, words: &[&str]| wrong(&security(rest), words);
    wrong(
        "mechanism = 'scram-sha-512'",
        &["`user`", "`password`", "security.user"],
    );
    wrong(
        "user = 'u'\npassword = 'p'",
        &["binders.main.security.user", "security.mechanism"],
    );
    wrong("certificate = '-----BEGIN'", &["set `key` as well"]);
    wrong("key_password = 'x'", &["opens no key"]);
    wrong(
        "ca = '/no/such/file'",
        &["binders.main.security.ca", "is not there"],
    );
    wrong("tls = false\nca = '-----BEGIN'", &["no use without TLS"]);
    wrong("mechanism = 'oauthbearer'", &["token_file", "with_tokens"]);
    wrong("token_command = ['x']", &["oauthbearer"]);
    wrong(
        "mechanism = 'oauthbearer'\ntoken_command = ['x']\ntoken_file = 'y'",
        &["one of several"],
    );
    wrong(
        "mechanism = 'oauthbearer'\ntoken_file = 'y'\npassword = 'p'",
        &["no use with `oauthbearer`"],
    );
    wrong("mechanism = 'gssapi'", &["scram-sha-256"]);
    right(&security("mechanism = 'plain'\nuser = 'u'\npassword = 'p'"));
    right(&security(""));
    let factory = KafkaFactory::new().with_tokens(|| Ok(Token::new("opaque")));
    assert_eq!(
        problems(&factory, &security("mechanism = 'oauthbearer'")),
        ""
    );
}

#[test]
fn secrets_are_in_no_problem() {
    let text = problems(
        FACTORY,
        "[binders.main.security]\nmechanism = 'oauthbearer'\npassword = 'hunter2'\nkey = 'hunter3'",
    );
    assert!(!text.contains("hunter"), "{text}");
    let debug = format!(
        "{:?}",
        FACTORY.clone().with_tokens(|| Ok(Token::new("hunter4")))
    );
    assert!(!debug.contains("hunter"), "{debug}");
}
