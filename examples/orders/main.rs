//! The reference example: a shop's line items become orders, orders become invoices and refunds, and those become a ledger by country.
//!
//! ```text
//! cargo run --release --example orders -- --input folder/of/csv
//! cargo run --release --example orders -- --invoices 26000 --poison 50 --flaky 5 --json
//! ```
//!
//! What it takes care of:
//! - Files are read as a stream: a year of data (540,000 lines) takes seconds, and memory grows with the count of invoices only (the
//!   ledger remembers which it has), never with lines.
//! - Rows that cannot be read are reported with file and line, counted, and left out. Nothing in the input can make it panic.
//! - An invoice whose rows do not stand together is published in parts: orders with the same number, told apart by the place where they
//!   begin. Totals are those of the rows, and the invoice counts once.
//! - Money is decimal and exact; a sum that could not be is refused.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test ends where a value is missing")
)]

mod args;

mod bad_row;
mod csv_folder;
mod csv_orders;
mod generator;
mod input;
mod row;
mod rows;

mod flaky;
mod invoice;
mod ledger;
mod money;
mod order;
mod poison;

mod progress;
mod report;
mod service;
mod source;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Args;

/// The report went nowhere.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report: give the standard output a place with room")]
struct NotWritten;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match service::run(&args).await {
        Ok(report) => print(&if args.json {
            report.json()
        } else {
            report.table()
        }),
        Err(failure) => fail(&failure),
    }
}

fn print(text: &str) -> ExitCode {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the pipe has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&format!("{NotWritten}: {error}")),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    drop(writeln!(io::stderr(), "error: {error}"));
    ExitCode::FAILURE
}
