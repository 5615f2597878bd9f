//! What a run ends with: tables for people, or one JSON object.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::ledger::{Sum, Totals};
use crate::money;

/// What became of the messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Orders that the handler is through with.
    pub(crate) handled: u64,
    /// Attempts beyond an order's first.
    pub(crate) retries: u64,
    /// Messages given up.
    pub(crate) dead_letters: u64,
    /// Rows that could not be read, and other trouble with the files.
    pub(crate) bad_rows: u64,
}

/// The end of a run.
#[derive(Debug)]
pub(crate) struct Report {
    /// The ledger.
    pub(crate) totals: Totals,
    /// The messages.
    pub(crate) counts: Counts,
}

#[derive(Serialize)]
struct Json<'a> {
    invoices: u64,
    orders: u64,
    refunds: u64,
    lines: u64,
    total: String,
    countries: BTreeMap<&'a str, String>,
    handled: u64,
    retries: u64,
    dead_letters: u64,
    duplicates: u64,
}

impl Report {
    /// One line of JSON; money is text, so that it stays exact. The countries stand in the order of their names.
    pub(crate) fn json(&self) -> String {
        let Self { totals, counts } = self;
        let countries = totals
            .countries
            .iter()
            .map(|(name, sum)| (&**name, money::text(sum.total)));
        let json = Json {
            invoices: totals.sum.invoices(),
            orders: totals.sum.orders,
            refunds: totals.sum.refunds,
            lines: totals.sum.lines,
            total: money::text(totals.sum.total),
            countries: countries.collect(),
            handled: counts.handled,
            retries: counts.retries,
            dead_letters: counts.dead_letters,
            duplicates: totals.duplicates,
        };
        serde_json::to_string(&json).expect("numbers and texts are always JSON")
    }

    /// A table of the countries, the largest total first, and one of the counts.
    pub(crate) fn table(&self) -> String {
        format!("{}\n\n{}", self.countries(), self.messages())
    }

    fn countries(&self) -> String {
        let mut countries: Vec<(&str, &Sum)> = self
            .totals
            .countries
            .iter()
            .map(|(name, sum)| (&**name, sum))
            .collect();
        countries.sort_by_key(|(_, sum)| Reverse(sum.total));
        let mut table = aligned();
        table.set_header(["COUNTRY", "ORDERS", "REFUNDS", "LINES", "TOTAL"]);
        for (name, sum) in countries.into_iter().chain([("all", &self.totals.sum)]) {
            table.add_row([
                name,
                &count(sum.orders),
                &count(sum.refunds),
                &count(sum.lines),
                &money::text(sum.total),
            ]);
        }
        text(table)
    }

    fn messages(&self) -> String {
        let Counts {
            handled,
            retries,
            dead_letters,
            bad_rows,
        } = self.counts;
        let mut table = aligned();
        for (name, value) in [
            ("invoices", self.totals.sum.invoices()),
            ("handled", handled),
            ("retries", retries),
            ("dead letters", dead_letters),
            ("duplicates", self.totals.duplicates),
            ("bad rows", bad_rows),
        ] {
            table.add_row([name, &count(value)]);
        }
        text(table)
    }
}

fn aligned() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// The table's lines, numbers to the right.
fn text(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// With commas between the thousands.
fn count(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(orders: u64, refunds: u64, lines: u64, total: &str) -> Sum {
        Sum {
            orders,
            refunds,
            lines,
            total: total.parse().unwrap(),
        }
    }

    fn report() -> Report {
        let countries = [
            ("EIRE", sum(1, 0, 20, "192.6")),
            ("United Kingdom", sum(951, 136, 22503, "377295.85")),
        ];
        Report {
            totals: Totals {
                sum: sum(952, 136, 22523, "377488.45"),
                countries: countries.map(|(name, sum)| (name.to_owned(), sum)).into(),
                duplicates: 3,
            },
            counts: Counts {
                handled: 1088,
                retries: 7,
                dead_letters: 5,
                bad_rows: 2,
            },
        }
    }

    #[test]
    fn the_json_is_one_line_with_money_as_text() {
        assert_eq!(
            report().json(),
            r#"{"invoices":1088,"orders":952,"refunds":136,"lines":22523,"total":"377488.45","countries":{"EIRE":"192.60","United Kingdom":"377295.85"},"handled":1088,"retries":7,"dead_letters":5,"duplicates":3}"#
        );
    }

    #[test]
    fn the_table_is_aligned_and_the_largest_country_stands_first() {
        let expected = "
 COUNTRY         ORDERS  REFUNDS   LINES      TOTAL
 United Kingdom     951      136  22,503  377295.85
 EIRE                 1        0      20     192.60
 all                952      136  22,523  377488.45

 invoices      1,088
 handled       1,088
 retries           7
 dead letters      5
 duplicates        3
 bad rows          2";
        assert_eq!(format!("\n{}", report().table()), expected);
    }

    #[test]
    fn a_run_without_anything_has_a_report_too() {
        let report = Report {
            totals: Totals::default(),
            counts: Counts::default(),
        };
        assert!(report.json().starts_with(
            r#"{"invoices":0,"orders":0,"refunds":0,"lines":0,"total":"0.00","countries":{},"#
        ));
        assert!(report.table().contains("all"));
    }
}
