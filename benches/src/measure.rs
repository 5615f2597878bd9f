//! Counting instructions and allocations: the bench runs itself again, under callgrind and with a counting allocator.
//!
//! A figure per message is the difference of two message counts, so that starting and stopping do not count.

use std::{
    io,
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

use crate::figures::Cost;

/// The argument by which a bench knows that it is to run one scenario.
const ONE: &str = "--one";

/// A scenario and the message count of this run.
#[derive(Clone, Debug)]
pub struct One {
    /// The scenario's name.
    pub scenario: String,
    /// How many messages.
    pub count: u64,
}

/// Whether this process is to run one scenario and nothing else.
#[must_use]
pub fn asked_for_one() -> Option<One> {
    let mut arguments = std::env::args()
        .skip_while(|argument| argument != ONE)
        .skip(1);
    let (scenario, count) = (arguments.next()?, arguments.next()?.parse().ok()?);
    Some(One { scenario, count })
}

/// Whether this is `cargo bench`, and not a test run.
#[must_use]
pub fn is_bench() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Whether this scenario was asked for: no filter on the command line, or one that is part of the name.
#[must_use]
pub fn is_wanted(scenario: &str) -> bool {
    let mut filters = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .peekable();
    filters.peek().is_none() || filters.any(|filter| scenario.contains(&filter))
}

/// The argument by which a run does not count allocations: counting them costs instructions.
const BARE: &str = "--bare";

/// Runs a scenario under a heap profiler that prints how many blocks were allocated.
pub fn counting(run: impl FnOnce()) {
    if std::env::args().any(|argument| argument == BARE) {
        return run();
    }
    let profiler = dhat::Profiler::builder().testing().build();
    let begin = Instant::now();
    run();
    let nanos = begin.elapsed().as_nanos();
    let blocks = dhat::HeapStats::get().total_blocks;
    drop(profiler);
    drop(io::Write::write_fmt(
        &mut io::stdout(),
        format_args!("{blocks} {nanos}\n"),
    ));
}

/// What a message of this scenario costs between two message counts.
///
/// # Errors
/// The bench cannot run itself.
pub fn cost(scenario: &str, counts: (u64, u64)) -> io::Result<Cost> {
    let between = (counts.1 - counts.0) as f64;
    let (low, high) = (plain(scenario, counts.0)?, plain(scenario, counts.1)?);
    let instructions = match (
        instructions(scenario, counts.0),
        instructions(scenario, counts.1),
    ) {
        (Some(low), Some(high)) => Some((high - low) / between),
        _ => None,
    };
    Ok(Cost {
        instructions,
        allocations: (high.0 - low.0) / between,
        nanoseconds: (high.1 - low.1) / between,
    })
}

fn this() -> io::Result<PathBuf> {
    std::env::current_exe()
}

fn plain(scenario: &str, count: u64) -> io::Result<(f64, f64)> {
    let output = Command::new(this()?)
        .args([ONE, scenario, &count.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(blocks), Some(nanos)) => Ok((blocks, nanos)),
        _ => Err(io::Error::other(format!(
            "scenario `{scenario}` printed no counts: {text}"
        ))),
    }
}

/// `None` where there is no valgrind.
fn instructions(scenario: &str, count: u64) -> Option<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this().ok()?)
        .args([ONE, scenario, &count.to_string(), BARE])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}
