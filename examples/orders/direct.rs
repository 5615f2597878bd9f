//! The way of an order through the service, in one thread and without the framework: publish, handle, keep the ledger.
//!
//! Each order is encoded and decoded on its way, like a message. Attempts and dead letters are counted as the framework will count them.

use thiserror::Error;

use crate::args::Args;
use crate::bad_row::BadRows;
use crate::csv_folder::FolderError;
use crate::flaky::{Flaky, Refused};
use crate::input::Input;
use crate::invoice::Billed;
use crate::ledger::{Ledger, NotExact};
use crate::order::Order;
use crate::poison::Poison;
use crate::progress::{Progress, Unit};
use crate::report::{Counts, Report};

/// Reads the whole input and gives the report.
///
/// # Errors
/// A folder that there is nothing to read in. Everything that is wrong inside of files and messages is counted and goes on.
pub(crate) fn run(args: &Args) -> Result<Report, FolderError> {
    let (mut input, unit) = match &args.input {
        Some(folder) => (Input::folder(folder)?, Unit::Bytes),
        None => (Input::generated(args.invoices), Unit::Invoices),
    };
    let progress = Progress::new(input.size(), unit);
    let mut poison = Poison::new(args.poison, input.size());
    let mut service = Service::new(Flaky::new(args.flaky));
    let mut bad_rows = BadRows::default();
    while let Some(item) = input.next() {
        match item {
            Ok(order) => service.publish(&encoded(&order)),
            Err(bad) => bad_rows
                .count(&bad)
                .iter()
                .for_each(|line| progress.say(line)),
        }
        while let Some(message) = poison.due(input.done()) {
            service.publish(&message);
        }
        progress.at(input.done());
    }
    while let Some(message) = poison.rest() {
        service.publish(&message);
    }
    progress.finish();
    Ok(service.report(&bad_rows))
}

fn encoded(order: &Order) -> Vec<u8> {
    serde_json::to_vec(order).expect("an order is always JSON")
}

/// The handler with what it needs, and the counts around it.
#[derive(Debug)]
struct Service {
    flaky: Flaky,
    ledger: Ledger,
    counts: Counts,
}

/// Why an attempt failed.
#[derive(Debug, Error)]
enum Failed {
    /// Another attempt can succeed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No attempt can succeed.
    #[error("undecodable: {0}")]
    Undecodable(#[from] serde_json::Error),
    /// No attempt can succeed.
    #[error(transparent)]
    NotExact(#[from] NotExact),
}

impl Service {
    fn new(flaky: Flaky) -> Self {
        Self {
            flaky,
            ledger: Ledger::default(),
            counts: Counts::default(),
        }
    }

    /// Attempts a message until it is handled or given up.
    fn publish(&mut self, message: &[u8]) {
        for attempt in 1.. {
            match self.handle(message, attempt) {
                Ok(()) => self.counts.handled += 1,
                Err(Failed::Refused(_)) => {
                    self.counts.retries += 1;
                    continue;
                }
                Err(Failed::Undecodable(_) | Failed::NotExact(_)) => self.counts.dead_letters += 1,
            }
            break;
        }
    }

    fn handle(&self, message: &[u8], attempt: u32) -> Result<(), Failed> {
        let order: Order = serde_json::from_slice(message)?;
        self.flaky.check(&order.id(), attempt)?;
        match Billed::from_order(&order) {
            Billed::Invoice(invoice) => self.ledger.add_invoice(&invoice)?,
            Billed::Refund(refund) => self.ledger.add_refund(&refund)?,
        };
        Ok(())
    }

    fn report(self, bad_rows: &BadRows) -> Report {
        Report {
            totals: self.ledger.totals(),
            counts: Counts {
                bad_rows: bad_rows.total(),
                ..self.counts
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn report(args: &[&str]) -> Report {
        run(&Args::try_parse_from([&["orders"], args].concat()).unwrap()).unwrap()
    }

    #[test]
    fn poison_and_flakiness_change_the_counts_and_not_the_ledger() {
        let calm = report(&["--invoices", "200"]);
        let rough = report(&["--invoices", "200", "--poison", "17", "--flaky", "100"]);
        assert_eq!(
            calm.counts,
            Counts {
                handled: 200,
                ..Counts::default()
            }
        );
        assert_eq!(
            rough.counts,
            Counts {
                handled: 200,
                retries: 200,
                dead_letters: 17,
                bad_rows: 0
            }
        );
        assert_eq!(rough.totals, calm.totals);
    }

    #[test]
    fn poison_comes_through_where_there_is_no_order_at_all() {
        assert_eq!(
            report(&["--invoices", "0", "--poison", "3"])
                .counts
                .dead_letters,
            3
        );
    }

    #[test]
    fn a_message_that_arrives_twice_is_a_duplicate() {
        let mut service = Service::new(Flaky::new(0));
        let order =
            crate::order::samples::order("536365", vec![crate::order::samples::line(6, "2.55")]);
        let message = serde_json::to_vec(&order).unwrap();
        service.publish(&message);
        service.publish(&message);
        let report = service.report(&BadRows::default());
        assert_eq!(
            (
                report.totals.duplicates,
                report.totals.sum.invoices(),
                report.counts.handled
            ),
            (1, 1, 2)
        );
    }
}
