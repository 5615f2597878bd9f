//! `chaos`: traffic under faults, and what became of every message.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to its user"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use mq_testkit::chaos::{Finished, Guarantee, Options, run};

/// Sends keyed messages through source, processor and sink, makes trouble, and says what became of every message.
///
/// The last line is one JSON object. The command fails where a message was lost, reordered within its key, or came from nobody, and
/// where an effect was doubled although the guarantee forbids it; then the logs are kept.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
struct Arguments {
    /// The binder.
    #[arg(long, default_value = "memory")]
    binder: String,
    /// How many messages are sent.
    #[arg(long, default_value_t = 100_000)]
    messages: u64,
    /// How many faults there are.
    #[arg(long, default_value_t = 100)]
    faults: u64,
    /// What is promised: `at_least_once`, `idempotent` or `exactly_once`.
    #[arg(long, default_value = "idempotent")]
    guarantee: Guarantee,
    /// What faults and failures are drawn from; a random one by default.
    #[arg(long)]
    seed: Option<u64>,
    /// Where logs are kept while it runs, and after it failed; the folder for temporary files by default.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Prints nothing but the line of JSON.
    #[arg(long)]
    json: bool,
    /// Logs each fault, and what the services say of it, on standard error.
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.verbose {
        tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .init();
    }
    let seed = arguments.seed.unwrap_or_else(random);
    let mut options = Options::new(&arguments.binder, arguments.messages, arguments.faults);
    options = options.guarantee(arguments.guarantee).seed(seed);
    if let Some(folder) = &arguments.folder {
        options = options.folder(folder);
    }
    if !arguments.json {
        eprintln!(
            "{} messages under {} faults on {}, {}, seed {seed}",
            options.messages, options.faults, options.binder, options.guarantee
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(&options)),
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(finished) => report(&finished, arguments.json),
        Err(error) => {
            eprintln!("error: {}; run it again with --seed {seed}", error.chain());
            ExitCode::from(2)
        }
    }
}

fn report(finished: &Finished, json: bool) -> ExitCode {
    if let Some(logs) = &finished.logs {
        if !json {
            eprint!("{}", finished.stories);
        }
        let seed = finished.outcome.seed;
        eprintln!("not as promised: seed {seed}, logs in {}", logs.display());
    }
    println!("{}", finished.outcome.to_json());
    if finished.logs.is_some() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) >> 16
}
