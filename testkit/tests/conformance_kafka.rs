//! The suite on a real Kafka, as one test: its cases wait more than they work, so many run at once.

use mq_testkit::conformance::{Suite, Verdict, kafka_subject};
use mq_testkit::harness::{Kind, Server};

/// Cases at once.
const JOBS: usize = 12;

#[expect(
    clippy::print_stdout,
    reason = "the test harness shows it beside the test"
)]
#[tokio::test(flavor = "multi_thread")]
async fn every_case_passes_on_kafka() {
    // Prints the skip where there is no server, and fails where one is required.
    match Server::available(Kind::Kafka).await {
        Ok(Some(server)) => drop(server),
        Ok(None) => return,
        Err(error) => panic!("{}", error.chain()),
    }
    let report = Suite::new().at_once(JOBS).run(kafka_subject).await;
    for result in &report.results {
        match &result.verdict {
            Verdict::Passed => {}
            Verdict::Failed(text) => println!("FAILED {}: {text}", result.path()),
            Verdict::Skipped(reason) => println!("{} has nothing to show: {reason}", result.path()),
        }
    }
    println!("{} passed, {} skipped", report.passed(), report.skipped());
    assert_eq!(report.failed(), 0, "cases failed");
}
