//! The conformance suite as a table: `cargo run -p mq-testkit --bin conformance -- --binder memory`.

mod args;
mod binders;
mod table;

use std::process::ExitCode;

use args::Args;
use clap::Parser;
use mq_testkit::conformance::Suite;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let suite = Suite::new().filter(&args.filter).at_once(args.jobs);
    if args.list {
        table::list(&suite);
        return ExitCode::SUCCESS;
    }
    let binder = match binders::find(&args).await {
        Ok(binder) => binder,
        Err(text) => {
            table::complain(&text);
            return ExitCode::from(2);
        }
    };
    let report = suite.run(|| binder.subject()).await;
    table::show(&report, &binder.name, args.json);
    if report.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
