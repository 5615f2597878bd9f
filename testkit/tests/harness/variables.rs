//! What the environment says about servers. Kafka stands for all: it is never taken from the system.

use mq_testkit::harness::Program;

use crate::{SOON, child};

/// A child on a machine where nothing was downloaded and nothing may be.
async fn bare(program: Program) -> String {
    let servers = tempfile::tempdir().unwrap();
    let mut process = program
        .env("MQ_SERVERS", servers.path())
        .env("MQ_FETCH", "never")
        .start()
        .await
        .unwrap();
    assert!(process.wait(SOON).await.unwrap().success());
    process.output().unwrap()
}

fn needs_kafka() -> Program {
    child::program("needs-kafka")
        .env_remove("MQ_KAFKA")
        .env_remove("MQ_REQUIRE")
}

#[tokio::test]
async fn what_cannot_be_had_is_a_skip_with_a_reason() {
    let output = bare(needs_kafka()).await;
    let skip = output.lines().find(|line| line.contains("SKIPPED: "));
    let reason = skip.and_then(|line| line.split_once("SKIPPED: kafka: "));
    assert!(
        reason.is_some_and(|(_, why)| why.contains("MQ_KAFKA=host:port")),
        "{output}"
    );
    assert!(output.contains("skipped it"), "{output}");
}

#[tokio::test]
async fn what_is_required_and_cannot_be_had_is_an_error() {
    let output = bare(needs_kafka().env("MQ_REQUIRE", "redis, Kafka")).await;
    assert!(
        output.contains("error: ") && !output.contains("SKIPPED"),
        "{output}"
    );
    let output = bare(needs_kafka().env("MQ_REQUIRE", "redis")).await;
    assert!(output.contains("SKIPPED: kafka: "), "{output}");
}

#[tokio::test]
async fn a_given_address_is_used_and_not_touched() {
    let output = bare(needs_kafka().env("MQ_KAFKA", "kafka.test:9092")).await;
    assert!(output.contains("have kafka.test:9092\n"), "{output}");
    let output = bare(child::program("needs-redis").env("MQ_REDIS", "127.0.0.1:1")).await;
    assert!(output.contains("have redis://127.0.0.1:1\n"), "{output}");
    assert!(
        output.contains("error: the redis server was given by its address"),
        "{output}"
    );
}
