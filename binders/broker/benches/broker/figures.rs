//! What the bench prints.

use std::{collections::BTreeMap, io::Write};

use serde_json::{Map, Value};

/// The figures of the closing line, in their order.
const KEYS: &[&str] = &[
    "publish_256",
    "publish_256_batch",
    "publish_1k",
    "roundtrip_256",
    "ack_p50_us",
    "ack_p99_us",
    "listener_json",
    "delayed_insert",
    "delayed_mb",
    "idle_mb",
    "disk_limit_256",
    "redis_publish_256",
    "rabbit_publish_256",
    "disk_p50_us",
    "disk_p99_us",
    "start_clean_1m_ms",
    "start_clean_1m_cpu_ms",
    "start_clean_ms",
    "start_clean_cpu_ms",
    "recover_1gib_ms",
    "recover_1gib_cpu_ms",
    "recover_gib_s",
    "read_1gib_ms",
    "backlog_1000_ns",
    "backlog_1000000_ns",
    "backlog_10000000_ns",
    "backlog_1000_instructions",
    "backlog_1000000_instructions",
    "backlog_flatness",
];

/// The figures of all rounds.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<String, Vec<f64>>);

impl Figures {
    /// Adds what a round has measured.
    pub(crate) fn add(&mut self, round: BTreeMap<String, f64>) {
        for (name, figure) in round {
            self.0.entry(name).or_default().push(figure);
        }
    }

    /// Prints every round to standard error and the closing line to standard output.
    pub(crate) fn print(mut self) {
        let mut closing = Map::new();
        for key in KEYS {
            let Some(rounds) = self.0.get_mut(*key) else {
                closing.insert((*key).to_owned(), Value::Null);
                continue;
            };
            rounds.sort_unstable_by(f64::total_cmp);
            let all: Vec<_> = rounds.iter().map(|one| format!("{one:.1}")).collect();
            note(&format!("{key:<28} {}", all.join(" ")));
            let best = if is_cost(key) {
                rounds.first()
            } else {
                rounds.last()
            };
            let best = best.map_or(Value::Null, |best| {
                Value::from((best * 100.0).round() / 100.0)
            });
            closing.insert((*key).to_owned(), best);
        }
        drop(writeln!(std::io::stdout(), "{}", Value::Object(closing)));
    }
}

/// Whether less is better.
fn is_cost(key: &str) -> bool {
    ["_us", "_ms", "_mb", "_ns", "_instructions", "_flatness"]
        .iter()
        .any(|unit| key.ends_with(unit))
}

/// Writes a line to standard error.
pub(crate) fn note(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
