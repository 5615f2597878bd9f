//! How long a check takes: writes a history of so many entries, checks it, and prints times and memory.
//!
//! `cargo run --release -p mq-testkit --example history-speed -- 10000000 [MEBIBYTES]`

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use mq_testkit::history::{Checker, Entry, Id, Key, Log, logs_in};

/// Messages that are confirmed, seen or in effect together: what a process writes in one call.
const BATCH: u64 = 500;
/// Logs of each side.
const LOGS: u64 = 4;
/// Single entries that are timed.
const SINGLE: u64 = 1_000_000;

#[expect(
    clippy::print_stdout,
    reason = "a program whose output is the measurement"
)]
fn main() -> ExitCode {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse::<u64>());
    let entries = arguments.next().unwrap_or(Ok(10_000_000));
    let memory = arguments.next().unwrap_or(Ok(512));
    let (Ok(entries), Ok(memory)) = (entries, memory) else {
        println!("usage: history-speed [ENTRIES] [MEBIBYTES]");
        return ExitCode::FAILURE;
    };
    match measure(entries, memory as usize) {
        Ok(lines) => {
            println!("{lines}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(entries: u64, memory: usize) -> Result<String, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let single = append_single(&folder.path().join("single"))?;
    let folder_of_all = folder.path().join("all");
    write(&folder_of_all, entries / 4)?;
    let before = peak();
    let started = Instant::now();
    let checker = Checker::new().memory(memory << 20).folder(folder.path());
    let report = checker.check(logs_in(&folder_of_all)?)?;
    let seconds = started.elapsed().as_secs_f64();
    let read: u64 = report.logs.iter().map(|log| log.entries).sum();
    Ok(format!(
        "append: {single:.0} ns an entry\ncheck: {read} entries in {seconds:.2} s, {memory} MiB for sorting, peak {} MiB (before: {before} MiB)\n{}",
        peak(),
        report.summary.to_json()
    ))
}

/// Nanoseconds for an entry with a write call of its own.
fn append_single(folder: &Path) -> mq_core::error::Result<f64> {
    let log = Log::create(folder, "single")?;
    let started = Instant::now();
    for number in 0..SINGLE {
        log.append(Entry::seen(Id::new(number.into())).at(0, number))?;
    }
    Ok(started.elapsed().as_nanos() as f64 / SINGLE as f64)
}

/// Each message with four entries; ids as a hash gives them, in no order; a hundred thousand keys; a few faults.
fn write(folder: &Path, messages: u64) -> mq_core::error::Result<()> {
    let sources = logs(folder, "source")?;
    let sinks = logs(folder, "sink")?;
    for start in (0..messages).step_by(BATCH as usize) {
        let batch = start..(start + BATCH).min(messages);
        let lane = (start / BATCH % LOGS) as usize;
        let sent = batch.clone().flat_map(|number| {
            let sending =
                Entry::sending(id(number)).keyed(Key::of((number % 100_000).to_le_bytes()), number);
            [
                sending,
                Entry::confirmed(id(number)).at(lane as u32, number),
            ]
        });
        sources[lane].append_all(&sent.collect::<Vec<_>>())?;
        let arrived = batch
            .filter(|number| number % 100_003 != 7)
            .flat_map(|number| {
                let again = if number % 10_007 == 3 { 2 } else { 1 };
                let seen =
                    std::iter::repeat_n(Entry::seen(id(number)).at(lane as u32, number), again);
                seen.chain([Entry::effect(id(number))])
            });
        sinks[lane].append_all(&arrived.collect::<Vec<_>>())?;
    }
    Ok(())
}

fn logs(folder: &Path, name: &str) -> mq_core::error::Result<Vec<Log>> {
    (0..LOGS).map(|_| Log::create(folder, name)).collect()
}

fn id(number: u64) -> Id {
    Id::of(number.to_le_bytes())
}

/// Peak of resident memory in MiB, where the system says so.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kibibytes.unwrap_or(0) / 1024
}
