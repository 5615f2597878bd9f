//! The service: a source, two processors and a sink around the domain.
//!
//! ```text
//! folder or generator → orders → bill → invoices → book_invoice → ledger → keep
//!                                     → refunds  → book_refund  → ledger
//! ```
//!
//! Each step publishes its outputs and settles its input in one transaction of the broker, so that a crash at any moment bills nothing
//! twice. The ledger is a destination itself: the books in memory are read from it at the start.

use std::sync::Arc;

use mq::binder::{Admin, Cursor};
use mq::prelude::*;
use mq::{Planned, RunningApp, app::AppHandle, config::Config, outcome::IntoFailure};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::args::Args;
use crate::bad_row::BadRows;
use crate::csv_folder::FolderError;
use crate::flaky::{Flaky, Refused};
use crate::input::Input;
use crate::invoice::{Billed, Booking, Invoice, Refund};
use crate::ledger::{Ledger, NotExact};
use crate::order::Order;
use crate::progress::{Progress, Unit};
use crate::report::{Counts, Report};
use crate::source::{OrderSource, Reading};

/// Bookings that are read at a time at the start.
const PAGE: usize = 1_000;
/// The ledger keeps every booking.
const FOR_EVER: i64 = i64::MAX;

/// Runs the service until every order of the input is in the ledger.
///
/// # Errors
/// A folder that there is nothing to read in, or settings that are wrong. What is wrong inside of files and messages is counted and
/// goes on.
pub(crate) async fn run(args: &Args) -> Result<Report, Failure> {
    let (input, unit) = input(args)?;
    let reading = Reading::new(Progress::new(input.size(), unit));
    let ledger = Arc::new(Ledger::default());
    let (published, resume) = oneshot::channel();
    let source = OrderSource::new(input, args.poison, reading.clone(), resume);
    let fresh = tempfile::tempdir()?;
    let app = service(config(args, &fresh), args, source, &ledger)?;
    let running = app.start().await?;
    if let Some(binder) = running.handle().binder("main") {
        restore(binder.admin(), &ledger).await?;
        // The source may have ended with the application.
        let _ended = published.send(count(binder.admin()).await?);
    }
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

/// The embedded broker, unless a file says otherwise.
fn config(args: &Args, fresh: &TempDir) -> Config {
    let base = match &args.config {
        Some(file) => Config::file(file),
        None => {
            let data = args.data.as_deref().unwrap_or(fresh.path());
            Config::empty()
                .set("binders.main.kind", "broker")
                .set("binders.main.path", data.display().to_string())
                .set("binders.main.destinations.ledger.retain", FOR_EVER)
        }
    };
    base.set("app.name", "shop")
        .set("bindings.orders.consumer.guarantee", "exactly_once")
        .set("bindings.invoices.consumer.guarantee", "exactly_once")
        .set("bindings.refunds.consumer.guarantee", "exactly_once")
}

fn service(
    config: Config,
    args: &Args,
    source: OrderSource,
    ledger: &Arc<Ledger>,
) -> Result<Planned, Failure> {
    let app = App::builder()
        .config(config)
        .state(Flaky::new(args.flaky))
        .state(ledger.clone())
        .source("orders", source)
        .processor("orders", ["invoices", "refunds"], bill)
        .processor("invoices", "ledger", book_invoice)
        .processor("refunds", "ledger", book_refund)
        .sink("ledger", keep);
    Ok(app.build()?)
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

async fn book_invoice(Json(invoice): Json<Invoice>) -> Json<Booking> {
    Json(Booking::Invoice(invoice))
}

async fn book_refund(Json(refund): Json<Refund>) -> Json<Booking> {
    Json(Booking::Refund(refund))
}

/// Adds a booking to the books in memory; the same one again from the same place changes nothing.
async fn keep(
    Json(booking): Json<Booking>,
    delivery: Delivery,
    State(ledger): State<Arc<Ledger>>,
) -> Result<(), NotExact> {
    let place = (delivery.partition(), delivery.record().position);
    ledger.add(place, &booking).map(drop)
}

/// Reads the books that were kept before a crash.
async fn restore(admin: &dyn Admin, ledger: &Ledger) -> Result<(), Failure> {
    let mut cursor = Cursor::default();
    loop {
        let page = admin.browse("ledger", &mut cursor, PAGE).await?;
        if page.is_empty() {
            return Ok(());
        }
        for browsed in page {
            let booking = serde_json::from_slice(browsed.message.as_bytes())?;
            ledger.add((browsed.partition, browsed.position), &booking)?;
        }
    }
}

/// How many orders were published before a crash; 0 where the broker does not tell.
async fn count(admin: &dyn Admin) -> Result<u64, Failure> {
    let all = admin.destinations().await?;
    let orders = all.iter().find(|found| &*found.name == "orders");
    Ok(orders.and_then(|found| found.published).unwrap_or(0))
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
