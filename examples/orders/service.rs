//! The service: a source, a processor and two sinks around the domain.
//!
//! ```text
//! folder or generator → orders → bill → invoices → ledger
//!                                     → refunds  → ledger
//! ```

use std::sync::Arc;

use mq::prelude::*;
use mq::{RunningApp, app::AppHandle, config::Config, outcome::IntoFailure};

use crate::args::Args;
use crate::bad_row::BadRows;
use crate::csv_folder::FolderError;
use crate::flaky::{Flaky, Refused};
use crate::input::Input;
use crate::invoice::{Billed, Invoice, Refund};
use crate::ledger::{Ledger, NotExact};
use crate::order::Order;
use crate::progress::{Progress, Unit};
use crate::report::{Counts, Report};
use crate::source::{OrderSource, Reading};

/// Runs the service until every order of the input is in the ledger.
///
/// # Errors
/// A folder that there is nothing to read in, or settings that are wrong. What is wrong inside of files and messages is counted and
/// goes on.
pub(crate) async fn run(args: &Args) -> Result<Report, Failure> {
    let (input, unit) = input(args)?;
    let reading = Reading::new(Progress::new(input.size(), unit));
    let ledger = Arc::new(Ledger::default());
    let source = OrderSource::new(input, args.poison, reading.clone());
    let app = App::builder()
        .config(Config::empty().set("app.name", "shop"))
        .state(Flaky::new(args.flaky))
        .state(ledger.clone())
        .source("orders", source)
        .processor("orders", ["invoices", "refunds"], bill)
        .sink("invoices", book_invoice)
        .sink("refunds", book_refund);
    let running = app.build()?.start().await?;
    running.until_idle().await?;
    let report = report(&running, &ledger, &reading);
    running.stop().await?;
    Ok(report)
}

fn input(args: &Args) -> Result<(Input, Unit), FolderError> {
    Ok(match &args.input {
        Some(folder) => (Input::folder(folder)?, Unit::Bytes),
        None => (Input::generated(args.invoices), Unit::Invoices),
    })
}

/// Cancellations become refunds, everything else invoices.
async fn bill(
    Json(order): Json<Order>,
    Attempt(attempt): Attempt,
    State(flaky): State<Flaky>,
) -> Result<(Option<Json<Invoice>>, Option<Json<Refund>>), Refused> {
    flaky.check(&order.id(), attempt)?;
    Ok(match Billed::from_order(&order) {
        Billed::Invoice(invoice) => (Some(Json(invoice)), None),
        Billed::Refund(refund) => (None, Some(Json(refund))),
    })
}

async fn book_invoice(
    Json(invoice): Json<Invoice>,
    State(ledger): State<Arc<Ledger>>,
) -> Result<(), NotExact> {
    ledger.add_invoice(&invoice).map(drop)
}

async fn book_refund(
    Json(refund): Json<Refund>,
    State(ledger): State<Arc<Ledger>>,
) -> Result<(), NotExact> {
    ledger.add_refund(&refund).map(drop)
}

impl IntoFailure for Refused {
    fn into_failure(self) -> Failure {
        Failure::retry(self.to_string()).kind("Refused")
    }
}

impl IntoFailure for NotExact {
    fn into_failure(self) -> Failure {
        Failure::dead_letter(self.to_string()).kind("NotExact")
    }
}

fn report(running: &RunningApp, ledger: &Ledger, reading: &Reading) -> Report {
    let handle: &AppHandle = running.handle();
    let sum = |count: fn(&mq::telemetry::BindingMetrics) -> u64| {
        handle
            .bindings()
            .map(|binding| count(binding.metrics()))
            .sum()
    };
    let handled = handle
        .binding("orders")
        .map_or(0, |orders| orders.metrics().handled.get());
    Report {
        totals: ledger.totals(),
        counts: Counts {
            handled,
            retries: sum(|metrics| metrics.retries.get()),
            dead_letters: sum(|metrics| metrics.dead_letters.get()),
            bad_rows: reading.bad_rows(BadRows::total),
        },
    }
}
