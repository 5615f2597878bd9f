//! What `mq` adds to bare librdkafka: the same work through both, beside each other.
//!
//! `cargo bench -p mq-kafka --bench versus-raw [name…]`; the last line is one JSON object. A real broker is started for it.
//! Every round of a scenario runs ours and the bare loop, each in a process of its own, and the order changes from round to round.
//! Figures are medians over the rounds; a ratio is the median of the ratios within a round.

mod cost;
mod figures;
mod job;
mod ours;
mod payload;
mod raw;
mod rounds;
mod topics;

use std::{error::Error, process::ExitCode};

/// What a side has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Work {
    /// Read a topic to its end and commit.
    Consume,
    /// The same; the bare loop asks each message for its headers too, as a framework has to.
    Headers,
    /// As [`Consume`](Self::Consume), by handlers that read what they get.
    Reads,
    /// The same; the bare loop has librdkafka's own defaults.
    Defaults,
    /// Publish and wait for every confirmation; ours by batches of the size that outputs of listeners have.
    Publish,
    /// The same; ours by calls of one message each.
    Singles,
    /// Consume, transform, produce in transactions.
    ExactlyOnce,
}

/// A scenario: the same work by both sides.
#[derive(Clone, Copy, Debug)]
struct Scenario {
    name: &'static str,
    work: Work,
    bytes: usize,
    messages: u64,
}

impl Scenario {
    const fn new(name: &'static str, work: Work, bytes: usize, messages: u64) -> Self {
        Self {
            name,
            work,
            bytes,
            messages,
        }
    }
}

const SCENARIOS: &[Scenario] = &[
    Scenario::new("consume_100", Work::Consume, 100, 3_000_000),
    Scenario::new("consume_100_headers", Work::Headers, 100, 3_000_000),
    Scenario::new("consume_100_reads", Work::Reads, 100, 3_000_000),
    Scenario::new("consume_1k", Work::Consume, 1_024, 1_000_000),
    Scenario::new("consume_100_defaults", Work::Defaults, 100, 3_000_000),
    Scenario::new("publish_100", Work::Publish, 100, 1_500_000),
    Scenario::new("publish_1k", Work::Publish, 1_024, 300_000),
    Scenario::new("publish_100_singles", Work::Singles, 100, 1_500_000),
    Scenario::new("exactly_once", Work::ExactlyOnce, 100, 500_000),
];

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match rounds::run(SCENARIOS) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            figures::note(&format!("the bench has failed: {error}"));
            ExitCode::FAILURE
        }
    }
}
