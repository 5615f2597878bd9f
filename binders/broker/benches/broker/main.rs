//! What the embedded broker does a second, beside the disk's own limit and beside two durable peers.
//!
//! `cargo bench -p mq-broker --bench broker [name…]`; the last line is one JSON object.
//! Every scenario runs several times, in a process of its own, all of them in turn; the best run counts, for the peers and the disk
//! as well: noise of the machine only takes away.

mod backlog;
mod callgrind;
mod clock;
mod delayed;
mod disk;
mod figures;
mod folder;
mod idle;
mod latency;
mod listener;
mod memory;
mod peers;
mod publish;
mod roundtrip;
mod rounds;
mod start;

use std::{error::Error, process::ExitCode};

/// A scenario says what it has measured: names and figures.
type Measured = Result<Vec<(&'static str, f64)>, Box<dyn Error>>;

/// A scenario: its name, how many messages, how often, and what runs it.
struct Scenario {
    name: &'static str,
    messages: u64,
    rounds: usize,
    run: fn(u64) -> Measured,
    /// Whether it needs a server, or another tool.
    is_special: bool,
}

impl Scenario {
    const fn new(
        name: &'static str,
        messages: u64,
        rounds: usize,
        run: fn(u64) -> Measured,
    ) -> Self {
        Self {
            name,
            messages,
            rounds,
            run,
            is_special: false,
        }
    }

    const fn special(mut self) -> Self {
        self.is_special = true;
        self
    }
}

const SCENARIOS: &[Scenario] = &[
    Scenario::new("disk_limit_256", 2_000_000, 5, disk::limit),
    Scenario::new("publish_256", 2_000_000, 5, publish::small),
    Scenario::new("publish_256_batch", 3_000_000, 5, publish::batches),
    Scenario::new("publish_1k", 1_000_000, 5, publish::large),
    Scenario::new("redis_publish_256", 400_000, 3, peers::redis).special(),
    Scenario::new("rabbit_publish_256", 100_000, 3, peers::rabbit).special(),
    Scenario::new("roundtrip_256", 2_000_000, 5, roundtrip::run),
    Scenario::new("ack", 4_000, 5, latency::run),
    Scenario::new("listener_json", 1_000_000, 5, listener::run),
    Scenario::new("delayed", 1_000_000, 3, delayed::run),
    Scenario::new("start", 3_195_000, 3, start::run),
    Scenario::new("start_1m", 1_000_000, 3, start::clean),
    Scenario::new("idle", 0, 1, idle::run),
    Scenario::new("backlog_1000", 1_000, 2, backlog::run),
    Scenario::new("backlog_1000000", 1_000_000, 2, backlog::run),
    Scenario::new("backlog_10000000", 10_000_000, 2, backlog::run),
    Scenario::new("instructions", 1_000_000, 1, backlog::instructions).special(),
];

fn main() -> ExitCode {
    match rounds::run(SCENARIOS) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            figures::note(&format!("the bench has failed: {error}"));
            ExitCode::FAILURE
        }
    }
}
