//! This test program as a child of itself: a test below does its part only where a variable asks for it.

use std::io::Write as _;
use std::time::Duration;

use mq_testkit::fail_point;
use mq_testkit::harness::{Kind, Program, Server};

/// Which part to play.
const PART: &str = "HARNESS_PART";

/// A child that plays a part.
pub(crate) fn program(part: &str) -> Program {
    let this = std::env::current_exe().unwrap();
    Program::new(this)
        .name(part)
        .args(["child::play_a_part", "--exact", "--nocapture"])
        .env(PART, part)
}

/// Passes at once, unless this is a child.
#[test]
#[expect(clippy::disallowed_methods, reason = "it tells a child what to do")]
fn play_a_part() {
    match std::env::var(PART).as_deref() {
        Ok("steps") => steps(),
        Ok("parent") => parent(),
        Ok("needs-kafka") => needs_kafka(),
        Ok("needs-redis") => needs_redis(),
        _ => {}
    }
}

/// Comes to a fail point three times.
fn steps() {
    for number in 1..=3 {
        let result = step(number);
        say(&format!("step {number}: {result:?}"));
    }
    say("all steps");
}

fn step(number: u32) -> Result<u32, String> {
    fail_point!("step", |text: Option<String>| Err(text.unwrap_or_default()));
    fail_point!("stepped");
    Ok(number)
}

/// Starts a child of its own, tells its number, and waits to be killed.
#[tokio::main(flavor = "current_thread")]
async fn parent() {
    let child = Program::new("sleep").arg("1000").start().await.unwrap();
    say(&format!("child {}", child.pid().unwrap()));
    tokio::time::sleep(Duration::from_secs(1000)).await;
}

/// What a test does that needs Kafka.
#[tokio::main(flavor = "current_thread")]
async fn needs_kafka() {
    match Server::available(Kind::Kafka).await {
        Ok(Some(server)) => say(&format!("have {}", server.url())),
        Ok(None) => say("skipped it"),
        Err(error) => say(&format!("error: {}", error.chain())),
    }
}

/// What a test does that would kill Redis.
#[tokio::main(flavor = "current_thread")]
async fn needs_redis() {
    let mut server = Server::redis().await.unwrap();
    say(&format!("have {}", server.url()));
    let error = server.kill().await.unwrap_err();
    say(&format!("error: {}", error.chain()));
}

/// A line in one write, whatever the test framework does with its output.
fn say(line: &str) {
    std::io::stderr()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}
