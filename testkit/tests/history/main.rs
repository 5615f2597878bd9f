//! The history checker: every planted fault is found, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod planted;
mod naive;
mod random;
mod torn;
mod writer;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mq_testkit::history::{Checker, Entry, Log, Report, logs_in};

/// A time of a history, in ticks.
fn tick(number: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + number)
}

/// Writes each entry to the log of its process, a tick after the one before.
fn write(folder: &Path, entries: &[(&str, Entry)]) {
    let mut logs: Vec<(&str, Log)> = Vec::new();
    for ((process, entry), at) in entries.iter().zip(0..) {
        if !logs.iter().any(|(name, _)| name == process) {
            logs.push((process, Log::create(folder, process).unwrap()));
        }
        let (_, log) = logs.iter().find(|(name, _)| name == process).unwrap();
        log.append_at(tick(at), *entry).unwrap();
    }
}

fn check(checker: &Checker, folder: &Path) -> Report {
    checker.check(logs_in(folder).unwrap()).unwrap()
}
