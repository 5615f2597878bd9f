//! One row of the shop's files: its columns as typed values.

use jiff::civil::DateTime;
use rust_decimal::Decimal;

use crate::bad_row::Reason;
use crate::order::{Line, Order, Origin};
use crate::rows::Row;

/// The columns, in their order.
pub(crate) const HEADER: [&str; 8] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
];

/// What the rows of one order have in common; only the time may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    invoice: String,
    customer: Option<u32>,
    country: String,
    placed_at: DateTime,
}

impl Head {
    /// Whether a row with this head goes on with `order`. The time does not matter: in the real data an invoice's rows
    /// sometimes cross a minute.
    pub(crate) fn is_of(&self, order: &Order) -> bool {
        self.invoice == order.invoice
            && self.customer == order.customer
            && self.country == order.country
    }

    /// The order that begins with this head.
    pub(crate) fn into_order(self, origin: Origin, line: Line) -> Order {
        let Self {
            invoice,
            customer,
            country,
            placed_at,
        } = self;
        Order {
            invoice,
            origin,
            customer,
            country,
            placed_at,
            lines: vec![line],
        }
    }
}

/// Whether the row holds the names of the columns; case and blanks around them do not matter.
pub(crate) fn is_header(row: &Row) -> bool {
    row.columns() == HEADER.len()
        && HEADER.iter().enumerate().all(|(i, name)| {
            row.value(i)
                .trim_ascii()
                .eq_ignore_ascii_case(name.as_bytes())
        })
}

/// Reads the values of a row, columns in the order of [`HEADER`].
///
/// Blanks around a value do not matter, except in the description, which is kept as it is. A description that is not UTF-8 is kept with
/// replacement characters, because its money still counts.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn parse(row: &Row) -> Result<(Head, Line), Reason> {
    if row.columns() != HEADER.len() {
        return Err(Reason::Columns(row.columns()));
    }
    let head = Head {
        invoice: name(row, 0)?,
        customer: customer(row)?,
        country: name(row, 7)?,
        placed_at: parsed(row, 4, "a date and time like 2010-12-01 08:26:00")?,
    };
    let description = String::from_utf8_lossy(row.value(2)).into_owned();
    let quantity = parsed(row, 3, "a whole number")?;
    let unit_price = unit_price(row)?;
    Ok((
        head,
        Line::new(text(row, 1)?.into(), description, quantity, unit_price)?,
    ))
}

/// The customer's number, which may be exported as a float: `17850.0`.
fn customer(row: &Row) -> Result<Option<u32>, Reason> {
    let text = text(row, 6)?;
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.strip_suffix(".0").unwrap_or(text);
    number
        .parse()
        .map(Some)
        .map_err(|_| Reason::value(HEADER[6], text, "empty or a number like 17850"))
}

fn unit_price(row: &Row) -> Result<Decimal, Reason> {
    let text = text(row, 5)?;
    Decimal::from_str_exact(text).map_err(|_| Reason::value(HEADER[5], text, "a number like 2.55"))
}

/// A value that others are found by, so neither empty nor torn over lines.
fn name(row: &Row, column: usize) -> Result<String, Reason> {
    let text = text(row, column)?;
    if text.is_empty() || text.contains(char::is_control) {
        return Err(Reason::value(HEADER[column], text, "a text of one line"));
    }
    Ok(text.into())
}

fn parsed<T: std::str::FromStr>(
    row: &Row,
    column: usize,
    expected: &'static str,
) -> Result<T, Reason> {
    let text = text(row, column)?;
    text.parse()
        .map_err(|_| Reason::value(HEADER[column], text, expected))
}

fn text(row: &Row, column: usize) -> Result<&str, Reason> {
    let bytes = row.value(column).trim_ascii();
    str::from_utf8(bytes).map_err(|_| {
        Reason::value(
            HEADER[column],
            String::from_utf8_lossy(bytes),
            "text in UTF-8",
        )
    })
}
