//! `cargo xtask chaos`: traffic under faults, and what became of every message.

use clap::Args;

use crate::{
    Result,
    cargo::{self, cargo},
};

/// What is passed on to the program, which has the help for it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// `--binder NAME --messages N --faults N --guarantee WORD --seed N --json`, and what `-- --help` tells of.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds the program `chaos` in release and runs it; its last line on standard output is the outcome.
///
/// # Errors
/// The outcome is not as promised, or there is none.
pub(crate) fn run(options: &Options) -> Result {
    let program = [
        "run",
        "--release",
        "--quiet",
        "--package",
        "mq-testkit",
        "--bin",
        "chaos",
        "--",
    ];
    cargo::run(cargo(program).args(&options.arguments))
}
