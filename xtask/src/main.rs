//! Development tasks: `cargo xtask test`, `lint`, `ci`, `book` and `chaos`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to its user"
)]

mod book;
mod cargo;
mod chaos;
mod lint;
mod steps;
mod test;

use std::process::ExitCode;

use clap::Parser;

/// What a task ends with; the error is a sentence for the user.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Development tasks of `mq`.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
enum Task {
    /// Builds and runs every test: unit, integration, compile errors, examples, benches once, documentation.
    Test(test::Options),
    /// Checks format, clippy, rustdoc and dependencies; a warning is an error.
    Lint,
    /// Runs `test`, then `lint`.
    Ci,
    /// Builds the book into `target/book`.
    Book,
    /// Sends messages through services under faults, and says what became of each.
    Chaos(chaos::Options),
}

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result {
    match task {
        Task::Test(options) => test::run(&options),
        Task::Lint => lint::run(),
        Task::Ci => {
            test::run(&test::Options::default())?;
            lint::run()
        }
        Task::Book => book::run(),
        Task::Chaos(options) => chaos::run(&options),
    }
}
