//! Orders of a shop that does not exist, as CSV of the same kind and as dirty as the real one: cancellations, customers that are missing,
//! prices of zero, quantities below zero, quotes and commas in descriptions.
//!
//! Each invoice depends on its own number only, so a longer run begins like a shorter one. Chance comes from XXH3, whose results are
//! fixed by its specification.

use std::fmt::Write as _;
use std::io::{self, Read};

use jiff::SignedDuration;
use jiff::civil::{DateTime, datetime};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::row::HEADER;

/// Number of the first invoice.
const FIRST_INVOICE: u64 = 536_365;

/// The shop opens; an invoice follows every twenty minutes, 26,000 a year.
const OPENING: DateTime = datetime(2010, 12, 1, 8, 26, 0, 0);

/// Countries with their share of a thousand invoices.
const COUNTRIES: [(&str, u64); 10] = [
    ("United Kingdom", 937),
    ("Germany", 19),
    ("France", 11),
    ("EIRE", 10),
    ("Portugal", 6),
    ("Norway", 5),
    ("Japan", 4),
    ("Spain", 4),
    ("Channel Islands", 2),
    ("Denmark", 2),
];

/// Code, description and price in pence.
const PRODUCTS: [(&str, &str, u64); 14] = [
    ("85123A", "WHITE HANGING HEART T-LIGHT HOLDER", 255),
    ("22423", "REGENCY CAKESTAND 3 TIER", 1275),
    ("84406B", "CREAM CUPID HEARTS COAT HANGER", 275),
    ("21756", "BATH BUILDING BLOCK WORD", 595),
    ("22632", "HAND WARMER RED POLKA DOT", 185),
    ("84879", "ASSORTED COLOUR BIRD ORNAMENT", 169),
    ("82486", "WOOD S/3 CABINET ANT WHITE FINISH", 695),
    ("82494L", "WOODEN FRAME ANTIQUE WHITE ", 295),
    ("82580", "BATHROOM METAL SIGN, SET OF 3", 55),
    ("84970S", "HANGING HEART ZINC T-LIGHT HOLDER, SMALL", 85),
    ("82582", "RECORD FRAME 7\" SINGLE SIZE ", 255),
    ("84031A", "CHARLIE+LOLA\"EXTREMELY BUSY\" SIGN", 310),
    ("POST", "POSTAGE", 1800),
    ("gift_0001_20", "", 1667),
];

/// One row before it is written. The amounts are whole pence, so that tests can add them up without decimals.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    stock_code: &'static str,
    description: &'static str,
    quantity: i64,
    pence: u64,
}

/// What the rows of one invoice have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Invoice {
    number: String,
    customer: Option<u64>,
    country: &'static str,
    placed_at: DateTime,
    items: Vec<Item>,
}

/// CSV text of a given count of invoices, made while it is read.
#[derive(Debug)]
pub(crate) struct Generator {
    invoices: u64,
    next: u64,
    text: String,
    read: usize,
}

impl Generator {
    /// Text with a header and that many invoices, about 20 rows each.
    pub(crate) fn new(invoices: u64) -> Self {
        Self {
            invoices,
            next: 0,
            text: HEADER.join(",") + "\n",
            read: 0,
        }
    }
}

impl Read for Generator {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.text.len() && self.next < self.invoices {
            self.text.clear();
            self.read = 0;
            Invoice::generate(self.next).write(&mut self.text);
            self.next += 1;
        }
        let length = (&self.text.as_bytes()[self.read..]).read(buffer)?;
        self.read += length;
        Ok(length)
    }
}

impl Invoice {
    fn generate(index: u64) -> Self {
        let mut chance = Chance {
            seed: index,
            draws: 0,
        };
        let cancelled = chance.below(1000) < 125;
        let count = if cancelled {
            1 + chance.below(5)
        } else {
            chance.count_of_items()
        };
        let known = count < 400 && chance.below(1000) < 850;
        let seconds = i64::try_from(index.saturating_mul(20 * 60)).unwrap_or(i64::MAX);
        Self {
            number: format!(
                "{}{}",
                if cancelled { "C" } else { "" },
                FIRST_INVOICE.saturating_add(index)
            ),
            customer: known.then(|| 12_346 + chance.below(5_942)),
            country: chance.country(),
            placed_at: OPENING.saturating_add(SignedDuration::from_secs(seconds)),
            items: (0..count).map(|_| chance.item(cancelled)).collect(),
        }
    }

    fn write(&self, text: &mut String) {
        let Self {
            number,
            customer,
            country,
            placed_at,
            items,
        } = self;
        let placed_at = placed_at.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let customer = customer.map_or_else(String::new, |number| format!("{number}.0"));
        for Item {
            stock_code,
            description,
            quantity,
            pence,
        } in items
        {
            let description = quoted(description);
            let price = price(*pence);
            writeln!(text, "{number},{stock_code},{description},{quantity},{placed_at},{price},{customer},{country}")
                .expect("a string takes any text");
        }
    }
}

/// The draws of one invoice.
#[derive(Debug)]
struct Chance {
    seed: u64,
    draws: u64,
}

impl Chance {
    /// A number from 0 to `limit` - 1.
    fn below(&mut self, limit: u64) -> u64 {
        self.draws += 1;
        xxh3_64_with_seed(&self.draws.to_le_bytes(), self.seed) % limit
    }

    /// Mostly few, rarely hundreds; 23 on average.
    fn count_of_items(&mut self) -> u64 {
        match self.below(100) {
            0..55 => 1 + self.below(12),
            55..91 => 13 + self.below(23),
            91..99 => 36 + self.below(55),
            _ => 400 + self.below(275),
        }
    }

    fn country(&mut self) -> &'static str {
        let mut drawn = self.below(1000);
        for (country, share) in COUNTRIES {
            if drawn < share {
                return country;
            }
            drawn -= share;
        }
        COUNTRIES[0].0
    }

    fn item(&mut self, cancelled: bool) -> Item {
        let (stock_code, description, pence) =
            PRODUCTS[usize::try_from(self.below(PRODUCTS.len() as u64)).unwrap_or_default()];
        let quantity = (1 + self.below(24)).cast_signed();
        match self.below(1000) {
            _ if cancelled => Item {
                stock_code,
                description,
                quantity: -quantity,
                pence,
            },
            0..5 => Item {
                stock_code,
                description: "",
                quantity,
                pence: 0,
            },
            5..8 => Item {
                stock_code,
                description: "damages, \"lost\"?",
                quantity: -quantity,
                pence: 0,
            },
            _ => Item {
                stock_code,
                description,
                quantity,
                pence: pence + self.below(10) * 10,
            },
        }
    }
}

/// A value for a CSV file, in quotes where it needs them.
fn quoted(value: &str) -> String {
    if value.contains([',', '"']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

/// A price as the real files have it, like a float: `2.0`, `2.5`, `2.55`.
fn price(pence: u64) -> String {
    match (pence / 100, pence % 100) {
        (pounds, rest) if rest % 10 == 0 => format!("{pounds}.{}", rest / 10),
        (pounds, rest) => format!("{pounds}.{rest:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv_orders::CsvOrders;
    use crate::order::Order;

    fn text(invoices: u64) -> String {
        let mut text = String::new();
        Generator::new(invoices).read_to_string(&mut text).unwrap();
        text
    }

    fn orders(invoices: u64) -> Vec<Order> {
        CsvOrders::new("generated", Generator::new(invoices))
            .map(|order| order.unwrap())
            .collect()
    }

    #[test]
    fn the_same_count_gives_the_same_text_and_a_longer_run_begins_alike() {
        assert_eq!(text(300), text(300));
        assert!(text(300).starts_with(&text(299)));
        assert_eq!(text(0).lines().count(), 1);
    }

    #[test]
    fn the_text_never_changes_from_one_release_to_the_next() {
        assert_eq!(
            format!("{:016x}", xxh3_64_with_seed(text(1000).as_bytes(), 0)),
            "d23f96e550abd3bd"
        );
    }

    #[test]
    fn every_row_can_be_read_and_the_totals_are_those_of_the_rows() {
        let orders = orders(1000);
        let invoices: Vec<Invoice> = (0..1000).map(Invoice::generate).collect();
        assert_eq!(orders.len(), 1000);
        for (order, invoice) in orders.iter().zip(&invoices) {
            let pence: i64 = invoice
                .items
                .iter()
                .map(|item| item.quantity * item.pence.cast_signed())
                .sum();
            assert_eq!(
                (&order.invoice, order.lines.len()),
                (&invoice.number, invoice.items.len())
            );
            assert_eq!(
                order.total(),
                rust_decimal::Decimal::new(pence, 2),
                "{}",
                order.invoice
            );
        }
    }

    #[test]
    fn the_data_is_as_dirty_as_the_real_one() {
        let items: Vec<(bool, Item)> = (0..1000)
            .map(Invoice::generate)
            .flat_map(|invoice| {
                invoice
                    .items
                    .into_iter()
                    .map(move |item| (invoice.customer.is_none(), item))
            })
            .collect();
        let share =
            |what: &dyn Fn(&(bool, Item)) -> bool| items.iter().filter(|item| what(item)).count();
        assert!((18_000..25_000).contains(&items.len()), "{}", items.len());
        assert!(share(&|(unknown, _)| *unknown) > 1000);
        assert!(share(&|(_, item)| item.quantity < 0) > 100);
        assert!(share(&|(_, item)| item.pence == 0) > 50);
        assert!(share(&|(_, item)| item.description.contains([',', '"'])) > 1000);
        let cancelled = orders(1000)
            .iter()
            .filter(|order| order.is_cancellation())
            .count();
        assert!((100..150).contains(&cancelled), "{cancelled}");
    }

    #[test]
    fn the_last_invoices_that_can_be_numbered_are_no_reason_to_panic() {
        Invoice::generate(u64::MAX);
    }
}
