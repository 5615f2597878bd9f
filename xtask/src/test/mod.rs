//! `cargo xtask test`: the one test command.
//!
//! It builds the examples and all test programs, runs the latter, runs the examples of the documentation, and closes with one line that sums over all of them.
//! A test that lacks something on this machine prints `SKIPPED: <name>: <reason>` and returns;
//! where the variable `MQ_REQUIRE` names it (`MQ_REQUIRE=kafka,amqp`), that is a failure.
//! Servers that tests need are downloaded before the tests run; the tests start and end them.

mod headers;
mod programs;
mod report;
mod servers;
mod transcript;

use std::time::Instant;

use crate::{
    Result,
    cargo::{cargo, variable},
    steps::{announce, seconds},
};
use report::Report;
use transcript::Transcript;

/// What `cargo xtask test` takes.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Runs only tests whose name contains this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

/// Runs every test and prints the closing lines on standard output.
///
/// # Errors
/// Where something does not compile, a test fails, a required skip occurs, or the filter finds nothing.
pub(crate) fn run(options: &Options) -> Result {
    let begin = Instant::now();
    announce(1, 5, "examples and other programs");
    headers::prepare()?;
    let build = cargo(["build", "--workspace", "--examples", "--bins"]);
    let servers = programs::build_one(build, servers::PROGRAM)?;
    announce(2, 5, "build of all test programs");
    let count = programs::build(cargo(["test", "--workspace", "--all-targets", "--no-run"]))?;
    let mut transcript = Transcript::of(count);
    announce(3, 5, "servers");
    servers::fetch(&servers, options.filter.is_some());
    announce(4, 5, &format!("{count} test programs"));
    tests(options, "--all-targets", &mut transcript)?;
    announce(5, 5, "examples in the documentation");
    tests(options, "--doc", &mut transcript)?;
    println!("\nall tests took {}", seconds(begin.elapsed()));
    close(options, transcript)
}

fn tests(options: &Options, targets: &str, transcript: &mut Transcript) -> Result {
    let mut command = cargo(["test", "--workspace", targets, "--no-fail-fast"]);
    command.args(["--", "--show-output"]).args(&options.filter);
    if options.filter.is_none() {
        command.env(servers::DOWNLOAD, "never");
    }
    programs::follow(command, transcript)
}

fn close(options: &Options, transcript: Transcript) -> Result {
    let report = Report::new(transcript.tally(), &required());
    print!("{report}");
    if report.failed() > 0 {
        return Err(format!("{} failed", report.failed()).into());
    }
    match &options.filter {
        Some(filter) if report.is_empty() => {
            Err(format!("no test has `{filter}` in its name").into())
        }
        _ => Ok(()),
    }
}

/// The names in `MQ_REQUIRE`.
fn required() -> Vec<String> {
    let names = variable("MQ_REQUIRE").unwrap_or_default();
    let names = names.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
