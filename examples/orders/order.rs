//! What the source publishes: one invoice of the shop, with its lines.

use jiff::civil::DateTime;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::MAX_DECIMALS;

/// Largest absolute quantity of a line. The largest in a year of real data is 80,995.
const MAX_QUANTITY: i64 = 1_000_000;

/// Largest absolute price of a unit. The largest in a year of real data is 38,970.
const MAX_UNIT_PRICE: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// One invoice, or one part of an invoice whose rows do not stand together.
///
/// Parts of one invoice have the same [`invoice`](Self::invoice) and differ in their [`origin`](Self::origin): totals add up over all
/// parts, and the invoice counts once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// Number of the invoice, `536365`. A cancellation begins with `C`.
    pub(crate) invoice: String,
    /// Where its first row was read.
    pub(crate) origin: Origin,
    /// Number of the customer; about a third of the real rows has none.
    pub(crate) customer: Option<u32>,
    /// Country of the customer, as the shop spells it.
    pub(crate) country: String,
    /// Local time of the shop, to the second: that of the first row.
    pub(crate) placed_at: DateTime,
    /// In the order of the file; at least one.
    pub(crate) lines: Vec<Line>,
}

/// A place in the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origin {
    /// Name of the file, without its folder.
    pub(crate) file: String,
    /// Line in the file, from 1.
    pub(crate) line: u64,
}

/// One item of an invoice.
///
/// Quantity and price are limited, so that an amount and every sum of amounts that fits into memory is exact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedLine")]
pub(crate) struct Line {
    stock_code: String,
    description: String,
    quantity: i64,
    #[serde(with = "crate::money::exact")]
    unit_price: Decimal,
}

/// A quantity or price that cannot be right, and that exact sums are not promised for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutOfRange {
    /// Outside of ±1,000,000.
    #[error(
        "quantity {0} is out of range: write a whole number between -{MAX_QUANTITY} and {MAX_QUANTITY}"
    )]
    Quantity(i64),
    /// Outside of ±1,000,000, or more than four decimals.
    #[error(
        "unit price {0} is out of range: write a number between -{MAX_UNIT_PRICE} and {MAX_UNIT_PRICE} with at most {MAX_DECIMALS} decimals"
    )]
    UnitPrice(Decimal),
}

impl Order {
    /// The same for the same rows of the same input at every run; no two orders of one input share it.
    pub(crate) fn id(&self) -> String {
        format!("{}@{}:{}", self.invoice, self.origin.file, self.origin.line)
    }

    /// Messages of one key are handled one after the other: the customer's number, or the invoice's where there is no customer.
    pub(crate) fn key(&self) -> String {
        self.customer
            .map_or_else(|| self.invoice.clone(), |customer| customer.to_string())
    }

    /// True where goods or money went back: the number begins with `C`.
    pub(crate) fn is_cancellation(&self) -> bool {
        self.invoice.starts_with('C')
    }

    /// Exact sum over the lines; negative for most cancellations.
    pub(crate) fn total(&self) -> Decimal {
        self.lines.iter().map(Line::amount).sum()
    }
}

impl Line {
    /// A line whose numbers are in range.
    ///
    /// # Errors
    /// The first number that is out of range.
    pub(crate) fn new(
        stock_code: String,
        description: String,
        quantity: i64,
        unit_price: Decimal,
    ) -> Result<Self, OutOfRange> {
        let unit_price = unit_price.normalize();
        if !(-MAX_QUANTITY..=MAX_QUANTITY).contains(&quantity) {
            return Err(OutOfRange::Quantity(quantity));
        }
        if unit_price.abs() > MAX_UNIT_PRICE || unit_price.scale() > MAX_DECIMALS {
            return Err(OutOfRange::UnitPrice(unit_price));
        }
        Ok(Self {
            stock_code,
            description,
            quantity,
            unit_price,
        })
    }

    /// Quantity times price, exact.
    pub(crate) fn amount(&self) -> Decimal {
        Decimal::from(self.quantity) * self.unit_price
    }
}

/// A line as it stands in a message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedLine {
    stock_code: String,
    description: String,
    quantity: i64,
    #[serde(with = "crate::money::exact")]
    unit_price: Decimal,
}

impl TryFrom<UncheckedLine> for Line {
    type Error = OutOfRange;

    fn try_from(line: UncheckedLine) -> Result<Self, OutOfRange> {
        Self::new(
            line.stock_code,
            line.description,
            line.quantity,
            line.unit_price,
        )
    }
}

/// Values for the tests of this module and of others.
#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    pub(crate) fn line(quantity: i64, unit_price: &str) -> Line {
        Line::new(
            "85123A".into(),
            "WHITE HANGING HEART, \"SMALL\" ".into(),
            quantity,
            unit_price.parse().unwrap(),
        )
        .unwrap()
    }

    pub(crate) fn order(invoice: &str, lines: Vec<Line>) -> Order {
        Order {
            invoice: invoice.into(),
            origin: Origin {
                file: "2010-12-01.csv".into(),
                line: 2,
            },
            customer: Some(17850),
            country: "United Kingdom".into(),
            placed_at: jiff::civil::datetime(2010, 12, 1, 8, 26, 0, 0),
            lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{line, order};
    use super::*;

    #[test]
    fn the_message_carries_exact_decimals_as_strings() {
        let order = order("536365", vec![line(6, "2.55")]);
        let json = serde_json::to_string(&order).unwrap();
        assert_eq!(
            json,
            r#"{"invoice":"536365","origin":{"file":"2010-12-01.csv","line":2},"customer":17850,"country":"United Kingdom","placed_at":"2010-12-01T08:26:00","lines":[{"stock_code":"85123A","description":"WHITE HANGING HEART, \"SMALL\" ","quantity":6,"unit_price":"2.55"}]}"#
        );
        assert_eq!(serde_json::from_str::<Order>(&json).unwrap(), order);
    }

    #[test]
    fn a_total_is_exact_where_floats_are_not() {
        assert_eq!(
            order("536365", vec![line(1, "0.1"), line(1, "0.2")])
                .total()
                .to_string(),
            "0.3"
        );
        let largest = order("536365", vec![line(MAX_QUANTITY, "999999.9999"); 1000]);
        assert_eq!(largest.total().to_string(), "999999999900000.0000");
    }

    #[test]
    fn a_line_out_of_range_is_refused_from_a_message_too() {
        for (quantity, price) in [
            (1_000_001, "1"),
            (i64::MIN, "1"),
            (1, "1000000.01"),
            (1, "0.00001"),
            (1, "-1000001"),
        ] {
            let json = format!(
                r#"{{"stock_code":"M","description":"","quantity":{quantity},"unit_price":"{price}"}}"#
            );
            let error = serde_json::from_str::<Line>(&json).unwrap_err().to_string();
            assert!(error.contains("out of range"), "{error}");
        }
        for price in [
            "2.55",
            r#""2.550000000000000000000000000000001""#,
            r#""""#,
            r#""2,55""#,
            "null",
        ] {
            let json = format!(
                r#"{{"stock_code":"M","description":"","quantity":1,"unit_price":{price}}}"#
            );
            assert!(serde_json::from_str::<Line>(&json).is_err(), "{price}");
        }
    }

    #[test]
    fn the_key_is_the_customer_or_else_the_invoice() {
        let mut order = order("536365", vec![line(1, "1")]);
        assert_eq!(order.key(), "17850");
        order.customer = None;
        assert_eq!(order.key(), "536365");
    }

    #[test]
    fn parts_of_an_invoice_have_different_ids() {
        let first = order("536365", vec![line(1, "1")]);
        let mut second = first.clone();
        second.origin.line = 40;
        assert_eq!(first.id(), "536365@2010-12-01.csv:2");
        assert_ne!(first.id(), second.id());
    }
}
