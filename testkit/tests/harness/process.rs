//! Processes: started, killed, paused, stopped, and never left behind.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use mq_core::error::ErrorKind;
use mq_testkit::harness::{Moments, Program};

use crate::{SOON, child};

fn shell(script: &str) -> Program {
    Program::new("sh").args(["-c", script])
}

/// A zombie that nobody has waited for yet does nothing any more.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let waiting = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(SOON, waiting).await;
    assert!(waited.is_ok(), "{what} has not come true");
}

#[tokio::test]
async fn a_process_is_ready_with_its_line_and_gets_its_environment() {
    let mut process = shell("echo $0 $COLOUR; echo ready to serve >&2; sleep 1000")
        .args(["first argument"])
        .env("COLOUR", "green")
        .ready("ready", SOON)
        .start()
        .await
        .unwrap();
    assert!(process.is_running());
    assert_eq!(
        process.output().unwrap(),
        "first argument green\nready to serve\n"
    );
    let status = process.kill().await.unwrap();
    assert_eq!(status.signal(), Some(9));
    assert!(!process.is_running());
    assert_eq!(process.kill().await.unwrap(), status);
}

#[tokio::test]
async fn lines_are_found_one_after_the_other() {
    let mut process = shell("echo a1; echo b; echo a2; sleep 1000")
        .start()
        .await
        .unwrap();
    assert_eq!(process.wait_line("a", SOON).await.unwrap(), "a1");
    assert_eq!(process.wait_line("a", SOON).await.unwrap(), "a2");
    let error = process
        .wait_line("b", Duration::from_millis(20))
        .await
        .unwrap_err();
    assert!(error.chain().contains("a1\nb\na2"), "{}", error.chain());
}

#[tokio::test]
async fn the_end_before_the_line_is_an_error_with_the_output() {
    let start = shell("echo no room >&2; exit 7")
        .ready("ready", SOON)
        .start()
        .await;
    let error = start.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.chain().contains("exit status: 7"),
        "{}",
        error.chain()
    );
    assert!(error.chain().contains("no room"), "{}", error.chain());
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    for path in ["no-such-program", "/no/such/program"] {
        let error = Program::new(path).start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[tokio::test]
async fn stop_asks_and_gives_the_status() {
    let mut process =
        shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done")
            .ready("ready", SOON)
            .start()
            .await
            .unwrap();
    assert_eq!(process.stop(SOON).await.unwrap().code(), Some(3));
    assert!(process.output().unwrap().ends_with("bye\n"));
}

#[tokio::test]
async fn who_does_not_stop_in_time_is_killed() {
    let mut process = shell("trap '' TERM; echo ready; while :; do sleep 0.01; done")
        .ready("ready", SOON)
        .start()
        .await
        .unwrap();
    let error = process.stop(Duration::from_millis(100)).await.unwrap_err();
    assert!(
        error.to_string().contains("has not ended in 100ms"),
        "{error}"
    );
    assert_eq!(process.wait(SOON).await.unwrap().signal(), Some(9));
}

#[tokio::test]
async fn a_paused_process_does_nothing_until_it_is_resumed() {
    let mut process = shell("while :; do echo tick; sleep 0.005; done")
        .start()
        .await
        .unwrap();
    process.wait_line("tick", SOON).await.unwrap();
    process.pause().unwrap();
    let pid = process.pid().unwrap();
    let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    until("the pause", || state().contains(") T ")).await;
    let before = process.output().unwrap().len();
    let late = process.wait(Duration::from_millis(50)).await;
    assert!(late.is_err() && process.is_running());
    assert_eq!(process.output().unwrap().len(), before);
    process.resume().unwrap();
    until("a tick", || process.output().unwrap().len() > before).await;
    process.pause().unwrap();
    assert_eq!(process.stop(SOON).await.unwrap().signal(), Some(15));
}

#[tokio::test]
async fn each_start_has_a_log_of_its_own() {
    let logs = tempfile::tempdir().unwrap();
    let mut process = shell("echo $GREETING; sleep 1000")
        .name("greeter")
        .env("GREETING", "hello")
        .logs(logs.path())
        .start()
        .await
        .unwrap();
    process.wait_line("hello", SOON).await.unwrap();
    let program = process.program_mut();
    *program = program.clone().env("GREETING", "welcome");
    process.start().await.unwrap();
    process.wait_line("welcome", SOON).await.unwrap();
    assert_eq!(process.starts(), 2);
    let text = |name: &str| fs::read_to_string(logs.path().join(name)).unwrap();
    assert_eq!(text("greeter-0.log"), "hello\n");
    assert_eq!(text("greeter-1.log"), "welcome\n");
}

#[tokio::test]
async fn a_kill_reaches_what_the_process_has_started() {
    let mut process = shell("sleep 1000 & echo child $!; wait")
        .start()
        .await
        .unwrap();
    let line = process.wait_line("child", SOON).await.unwrap();
    let child = line.strip_prefix("child ").unwrap().parse().unwrap();
    assert!(is_running(child));
    process.kill().await.unwrap();
    until("the end of the child", || !is_running(child)).await;
}

#[tokio::test]
async fn the_end_of_a_process_is_the_end_of_what_it_has_started() {
    let mut process = shell("sleep 1000 & echo child $!").start().await.unwrap();
    assert!(process.wait(SOON).await.unwrap().success());
    let line = process.wait_line("child", SOON).await.unwrap();
    let child = line.strip_prefix("child ").unwrap().parse().unwrap();
    until("the end of the child", || !is_running(child)).await;
}

#[tokio::test]
async fn a_dropped_process_is_killed() {
    let process = shell("sleep 1000 & wait").start().await.unwrap();
    let pid = process.pid().unwrap();
    drop(process);
    assert!(!is_running(pid));
}

#[tokio::test]
async fn nothing_outlives_a_test_that_is_killed() {
    let mut parent = child::program("parent").start().await.unwrap();
    let line = parent.wait_line("child", SOON).await.unwrap();
    let child = line.rsplit_once("child ").unwrap().1.parse().unwrap();
    assert!(is_running(child));
    parent.kill().await.unwrap();
    until("the end of the child", || !is_running(child)).await;
}

#[tokio::test]
async fn a_process_is_killed_at_random_moments_and_starts_again() {
    let mut moments = Moments::new(7, Duration::ZERO..Duration::from_millis(20));
    let mut process = shell("while :; do echo tick; done").start().await.unwrap();
    for start in 1..=10 {
        moments.wait().await;
        assert_eq!(process.kill().await.unwrap().signal(), Some(9));
        assert_eq!(process.starts(), start);
        process.start().await.unwrap();
    }
}
