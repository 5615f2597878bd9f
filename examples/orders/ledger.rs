//! The ledger: totals by country, each entry once.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rust_decimal::Decimal;
use thiserror::Error;

use crate::invoice::{Booking, Entry};
use crate::money;

/// Adds up invoices and refunds, from any number of threads.
///
/// An entry that arrives again is counted as a duplicate and not added. That takes less than 200 bytes of memory for each invoice, for
/// a year of the real shop 5 MB, and nothing for its lines.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
}

/// What is in the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Over everything.
    pub(crate) sum: Sum,
    /// Each country for itself.
    pub(crate) countries: BTreeMap<String, Sum>,
    /// Entries that arrived again and were not added.
    pub(crate) duplicates: u64,
}

/// A sum of entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Invoices that are no refunds. However many parts an invoice has, it is one.
    pub(crate) orders: u64,
    /// Refunds, counted likewise.
    pub(crate) refunds: u64,
    /// Lines of both.
    pub(crate) lines: u64,
    /// Exact money of both; refunds are below zero.
    pub(crate) total: Decimal,
}

/// Whether an entry was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// It counts.
    New,
    /// It was added from the same place already.
    Known,
    /// It was there already, from another place.
    Duplicate,
}

/// An entry that cannot be added exactly. Nothing of it is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the total {total} of invoice {number} cannot be added exactly: correct it, or keep the ledger in parts"
)]
pub(crate) struct NotExact {
    number: String,
    total: Decimal,
}

#[derive(Debug, Default)]
struct Books {
    places: HashSet<(u32, u64)>,
    entries: HashSet<String>,
    numbers: HashSet<String>,
    totals: Totals,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Order,
    Refund,
}

impl Ledger {
    /// Adds what stands at a place (partition, position) of the ledger's destination, unless it was added from there.
    ///
    /// # Errors
    /// A total with more than four decimals, or a sum past 10^24.
    pub(crate) fn add(&self, place: (u32, u64), booking: &Booking) -> Result<Added, NotExact> {
        let mut books = self.books();
        if books.places.contains(&place) {
            return Ok(Added::Known);
        }
        let added = match booking {
            Booking::Invoice(invoice) => books.add(&invoice.0, Kind::Order),
            Booking::Refund(refund) => books.add(&refund.0, Kind::Refund),
        }?;
        books.places.insert(place);
        Ok(added)
    }

    /// What is in it now.
    pub(crate) fn totals(&self) -> Totals {
        self.books().totals.clone()
    }

    /// Adding changes nothing before it has succeeded, so a panic elsewhere leaves the books in order.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn add(&mut self, entry: &Entry, kind: Kind) -> Result<Added, NotExact> {
        if self.entries.contains(&entry.id) {
            self.totals.duplicates += 1;
            return Ok(Added::Duplicate);
        }
        let before = self
            .totals
            .countries
            .get(&entry.country)
            .copied()
            .unwrap_or_default();
        let first = !self.numbers.contains(&entry.number);
        let (Some(country), Some(all)) = (
            before.with(entry, kind, first),
            self.totals.sum.with(entry, kind, first),
        ) else {
            return Err(NotExact {
                number: entry.number.clone(),
                total: entry.total,
            });
        };
        self.totals.countries.insert(entry.country.clone(), country);
        self.totals.sum = all;
        self.entries.insert(entry.id.clone());
        if first {
            self.numbers.insert(entry.number.clone());
        }
        Ok(Added::New)
    }
}

impl Sum {
    /// Invoices and refunds together.
    pub(crate) fn invoices(&self) -> u64 {
        self.orders + self.refunds
    }

    /// This and an entry; `first` where it is the first one of its invoice.
    fn with(mut self, entry: &Entry, kind: Kind, first: bool) -> Option<Self> {
        match kind {
            Kind::Order => self.orders += u64::from(first),
            Kind::Refund => self.refunds += u64::from(first),
        }
        self.lines = self.lines.checked_add(entry.lines)?;
        self.total = money::add(self.total, entry.total)?;
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::invoice::{Invoice, Refund};

    fn entry(id: &str, country: &str, total: &str) -> Entry {
        let number = id.split('@').next().unwrap().into();
        Entry {
            id: id.into(),
            number,
            country: country.into(),
            lines: 2,
            total: total.parse().unwrap(),
        }
    }

    /// Adds a booking at a place of its own.
    fn add(ledger: &Ledger, booking: &Booking) -> Result<Added, NotExact> {
        static PLACE: AtomicU64 = AtomicU64::new(0);
        ledger.add((0, PLACE.fetch_add(1, Ordering::Relaxed)), booking)
    }

    fn invoice(id: &str, country: &str, total: &str) -> Booking {
        Booking::Invoice(Invoice(entry(id, country, total)))
    }

    #[test]
    fn orders_and_refunds_add_up_by_country() {
        let ledger = Ledger::default();
        add(&ledger, &invoice("1@a:2", "France", "0.1")).unwrap();
        add(&ledger, &invoice("2@a:4", "EIRE", "0.2")).unwrap();
        add(
            &ledger,
            &Booking::Refund(Refund(entry("C3@a:6", "France", "-27.50"))),
        )
        .unwrap();
        let totals = ledger.totals();
        assert_eq!(
            (
                totals.sum.orders,
                totals.sum.refunds,
                totals.sum.invoices(),
                totals.sum.lines
            ),
            (2, 1, 3, 6)
        );
        assert_eq!(
            (
                totals.sum.total.to_string(),
                totals.countries["France"].total.to_string()
            ),
            ("-27.2".into(), "-27.4".into())
        );
        assert_eq!(
            totals.countries.keys().collect::<Vec<_>>(),
            ["EIRE", "France"]
        );
    }

    #[test]
    fn an_entry_that_arrives_twice_is_added_once() {
        let ledger = Ledger::default();
        let invoice = invoice("1@a:2", "France", "5");
        assert_eq!(add(&ledger, &invoice), Ok(Added::New));
        let once = ledger.totals();
        assert_eq!(add(&ledger, &invoice), Ok(Added::Duplicate));
        assert_eq!(
            ledger.totals(),
            Totals {
                duplicates: 1,
                ..once
            }
        );
    }

    #[test]
    fn parts_of_an_invoice_add_up_and_count_as_one() {
        let ledger = Ledger::default();
        for (id, total) in [("1@a:2", "5"), ("1@a:9", "6"), ("1@b:2", "7")] {
            assert_eq!(add(&ledger, &invoice(id, "France", total)), Ok(Added::New));
        }
        let totals = ledger.totals();
        assert_eq!(
            (
                totals.sum.orders,
                totals.sum.lines,
                totals.sum.total,
                totals.duplicates
            ),
            (1, 6, Decimal::from(18), 0)
        );
    }

    #[test]
    fn an_entry_that_cannot_be_added_exactly_changes_nothing() {
        let ledger = Ledger::default();
        add(&ledger, &invoice("1@a:2", "France", "5")).unwrap();
        let before = ledger.totals();
        for total in [
            "0.00001",
            "10000000000000000000000000",
            "-79228162514264337593543950335",
        ] {
            let error = add(&ledger, &invoice("2@a:4", "EIRE", total)).unwrap_err();
            assert!(
                error.to_string().contains("cannot be added exactly"),
                "{error}"
            );
        }
        assert!(
            add(
                &ledger,
                &Booking::Invoice(Invoice(Entry {
                    lines: u64::MAX,
                    ..entry("2@a:4", "EIRE", "1")
                }))
            )
            .is_err()
        );
        assert_eq!(ledger.totals(), before);
        assert_eq!(add(&ledger, &invoice("2@a:4", "EIRE", "1")), Ok(Added::New));
    }

    #[test]
    fn threads_that_bring_the_same_entries_count_each_once() {
        let ledger = Ledger::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..500 {
                        add(&ledger, &invoice(&format!("{n}@a:2"), "France", "0.01")).unwrap();
                    }
                });
            }
        });
        let totals = ledger.totals();
        assert_eq!(
            (totals.sum.orders, totals.duplicates, totals.sum.total),
            (500, 1500, Decimal::from(5))
        );
    }

    #[test]
    fn what_is_read_again_from_its_place_is_no_duplicate() {
        let ledger = Ledger::default();
        let booking = invoice("1@a:2", "France", "5");
        assert_eq!(ledger.add((0, 7), &booking), Ok(Added::New));
        assert_eq!(ledger.add((0, 7), &booking), Ok(Added::Known));
        assert_eq!(ledger.add((1, 7), &booking), Ok(Added::Duplicate));
        assert_eq!(ledger.totals().duplicates, 1);
    }
}
