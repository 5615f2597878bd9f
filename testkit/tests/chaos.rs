//! Short chaos runs: some seconds of traffic under faults for each guarantee, and runs that must fail.
#![cfg(feature = "chaos")]

use std::process::Command;

use mq_testkit::chaos::{Finished, Guarantee, Options, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_chaos");

/// Runs with a folder that goes away, unless the run is not as promised.
async fn chaos(options: Options) -> Finished {
    let seed = options.seed;
    let told = format!(
        "{} under {}, seed {seed}",
        options.binder, options.guarantee
    );
    let finished = run(&options.program(PROGRAM)).await;
    finished.unwrap_or_else(|error| panic!("{told}: {}", error.chain()))
}

/// Nothing of it is against the guarantee.
async fn is_good(options: Options) {
    let finished = chaos(options).await;
    let Finished {
        outcome, stories, ..
    } = &finished;
    assert!(outcome.is_good(), "{}\n{stories}", outcome.to_json());
    assert_eq!(finished.logs, None, "the logs of a good run are removed");
}

async fn memory(guarantee: Guarantee, seed: u64) {
    is_good(
        Options::new("memory", 5_000, 25)
            .guarantee(guarantee)
            .seed(seed),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_reordered_where_effects_may_be_doubled() {
    for seed in 1..=3 {
        memory(Guarantee::AtLeastOnce, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_doubled_with_idempotency() {
    for seed in 1..=3 {
        memory(Guarantee::Idempotent, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_doubled_in_transactions() {
    for seed in 1..=3 {
        memory(Guarantee::ExactlyOnce, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::print_stderr,
    reason = "a random seed must be known to be repeated"
)]
async fn a_random_seed_is_as_good() {
    use std::hash::{BuildHasher, RandomState};
    let seed = RandomState::new().hash_one("seed") >> 16;
    for guarantee in Guarantee::ALL {
        eprintln!("{guarantee} with seed {seed}");
        memory(guarantee, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_process_is_paused_and_nothing_is_lost() {
    for guarantee in Guarantee::ALL {
        let options = Options::new("memory-paused", 5_000, 5);
        is_good(options.guarantee(guarantee)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_broker_is_killed_and_keeps_every_guarantee() {
    for guarantee in Guarantee::ALL {
        let options = Options::new("broker", 5_000, 6);
        is_good(options.guarantee(guarantee)).await;
    }
}

/// Everything is sent, by a source that goes on after each kill; and what the dead process had in memory is found missing.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_had_in_memory_is_told_as_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options::new("memory-killed", 20_000, 4).seed(7);
    let Finished {
        outcome,
        stories,
        logs,
        ..
    } = chaos(options.folder(folder.path())).await;
    assert!(outcome.lost > 0, "{}", outcome.to_json());
    assert_eq!(
        (outcome.reordered, outcome.phantom, outcome.doubled),
        (0, 0, 0),
        "{stories}"
    );
    assert!(stories.contains("lost"), "{stories}");
    assert!(logs.expect("they are kept").join("source").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binder_that_there_is_not_is_refused_with_those_that_there_are() {
    let error = run(&Options::new("carrier-pigeon", 1, 0)).await;
    let error = error.expect_err("there is none").to_string();
    assert!(error.contains("use one of memory, broker"), "{error}");
}

/// The program with these arguments: whether it succeeded, and the last line of its output.
fn program(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(PROGRAM).args(arguments).output();
    let output = output.expect("the program is built");
    let text = String::from_utf8(output.stdout).expect("text");
    let last = text.lines().last().unwrap_or_default().to_owned();
    (output.status.code(), last)
}

#[test]
fn the_last_line_is_one_object_and_the_status_says_whether_all_is_well() {
    let (status, line) = program(&[
        "--messages",
        "2000",
        "--faults",
        "5",
        "--seed",
        "3",
        "--json",
    ]);
    assert_eq!(status, Some(0));
    let found: serde_json::Value = serde_json::from_str(&line).expect("an object");
    for (name, value) in [
        ("messages", 2_000),
        ("faults", 5),
        ("lost", 0),
        ("reordered", 0),
        ("doubled", 0),
        ("phantom", 0),
    ] {
        assert_eq!(found[name], value, "{name} in {line}");
    }
    assert_eq!(found["binder"], "memory");
    assert!(found["redelivered"].is_u64(), "{line}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("a path");
    let (status, line) = program(&[
        "--binder",
        "memory-killed",
        "--messages",
        "20000",
        "--faults",
        "3",
        "--seed",
        "7",
        "--folder",
        path,
    ]);
    assert_eq!(status, Some(1), "{line}");
    assert!(
        line.starts_with(r#"{"binder":"memory-killed","messages":20000,"faults":3,"lost":"#),
        "{line}"
    );
}
