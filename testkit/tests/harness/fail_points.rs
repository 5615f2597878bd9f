//! Named places at which a child ends, stalls or fails.

use std::os::unix::process::ExitStatusExt as _;

use crate::{SOON, child};

async fn steps(points: &str) -> (std::process::ExitStatus, String) {
    let mut process = child::program("steps")
        .fail_points(points)
        .start()
        .await
        .unwrap();
    let status = process.wait(SOON).await.unwrap();
    (status, process.output().unwrap())
}

#[tokio::test]
async fn without_the_variable_nothing_happens() {
    let mut process = child::program("steps")
        .env_remove("MQ_FAIL_POINTS")
        .start()
        .await
        .unwrap();
    assert!(process.wait(SOON).await.unwrap().success());
    assert!(
        process
            .output()
            .unwrap()
            .contains("step 3: Ok(3)\nall steps")
    );
}

#[tokio::test]
async fn a_child_exits_at_the_third_time() {
    let (status, output) = steps("step=2*off->exit(9)").await;
    assert_eq!(status.code(), Some(9));
    assert!(
        output.contains("step 2: Ok(2)\nfail point step: exit(9)\n"),
        "{output}"
    );
}

#[tokio::test]
async fn a_child_fails_once() {
    let (status, output) = steps("step=1*off->1*return(full)").await;
    assert!(status.success(), "{output}");
    assert!(output.contains("step 1: Ok(1)\n"), "{output}");
    assert!(output.contains("step 2: Err(\"full\")\n"), "{output}");
    assert!(output.contains("step 3: Ok(3)\n"), "{output}");
}

#[tokio::test]
async fn a_child_panics_or_crashes() {
    let (status, output) = steps("stepped=panic(bad luck)").await;
    assert_eq!(status.code(), Some(101));
    assert!(output.contains("fail point stepped: bad luck"), "{output}");
    let (status, _) = steps("stepped=abort").await;
    assert_eq!(status.signal(), Some(6));
}

#[tokio::test]
async fn a_child_is_killed_where_it_pauses() {
    let points = "stepped=1*off->pause";
    let mut process = child::program("steps")
        .fail_points(points)
        .start()
        .await
        .unwrap();
    let status = process.kill_at("stepped", SOON).await.unwrap();
    assert_eq!(status.signal(), Some(9));
    let output = process.output().unwrap();
    assert!(
        output.contains("step 1") && !output.contains("step 2"),
        "{output}"
    );
}

#[tokio::test]
async fn points_that_cannot_be_read_end_the_child() {
    let (status, output) = steps("step=exot").await;
    assert_eq!(status.code(), Some(2));
    assert!(
        output.contains("cannot read `exot` as a fail point"),
        "{output}"
    );
}
