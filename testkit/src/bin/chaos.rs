//! `chaos`: traffic under faults, and what became of every message.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to its user"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mq::error::Error;
use mq_testkit::chaos::{Finished, Guarantee, Options, run, serve};
use tokio::runtime::Runtime;

/// Sends keyed messages through source, processor and sink, makes trouble, and says what became of every message.
///
/// The last line is one JSON object. The command fails where a message was lost, reordered within its key, or came from nobody, and
/// where an effect was doubled although the guarantee forbids it; then the logs are kept.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    service: Option<Child>,

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

/// What a run starts.
#[derive(Debug, Subcommand)]
enum Child {
    /// Runs services as a child process of a run, which gives the arguments.
    #[command(hide = true)]
    Service {
        /// `source`, `processor`, `sink`, or several with `+` between.
        name: String,
        /// The run's folder.
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    match (runtime, &arguments.service) {
        (Ok(runtime), Some(Child::Service { name, folder })) => {
            ended(&runtime.block_on(serve(folder, name)))
        }
        (Ok(runtime), None) => traffic(&arguments, &runtime),
        (Err(error), _) => {
            eprintln!("error: no runtime: {error}");
            ExitCode::from(2)
        }
    }
}

/// What the parent reads where a child ends.
fn ended(result: &Result<(), Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

fn traffic(arguments: &Arguments, runtime: &Runtime) -> ExitCode {
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
    match runtime.block_on(run(&options)) {
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
