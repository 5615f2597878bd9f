//! What can be wrong with the input, where, and what to do about it.

use std::fmt;
use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::order::OutOfRange;
use crate::row::HEADER;
use crate::rows::MAX_ROW;

/// One thing that is wrong in a file. Reading goes on behind it.
#[derive(Debug, Error)]
#[error("{file}:{line}: {reason}")]
pub(crate) struct BadRow {
    /// Name of the file, without its folder.
    pub(crate) file: Arc<str>,
    /// Line in the file, from 1.
    pub(crate) line: u64,
    /// What is wrong there.
    pub(crate) reason: Reason,
}

/// What is wrong, and how to mend it. The row is left out unless the variant says otherwise.
#[derive(Debug, Error)]
pub(crate) enum Reason {
    /// No row at all, not even a header.
    #[error("the file is empty: delete it, or write the header and rows to it")]
    EmptyFile,
    /// The first row is no header. It is read as a row, its columns taken in the usual order.
    #[error("the header is missing, so the columns are taken in the usual order: begin the file with `{}`", HEADER.join(","))]
    MissingHeader,
    /// Another count of columns than the header's.
    #[error("columns: {0} instead of {count}: write {columns}, with quotes around a value that holds a comma", count = HEADER.len(), columns = HEADER.join(","))]
    Columns(usize),
    /// A quote that is opened and not closed in a way that CSV allows. Only the first line of such a row is given up.
    #[error(
        "a quote is opened and not closed: close it before the comma, and double a quote inside of a value"
    )]
    Quote,
    /// Longer than [`MAX_ROW`].
    #[error("the row is longer than {MAX_ROW} bytes: shorten its description")]
    TooLong,
    /// A value that is not what its column holds.
    #[error("{column} {value:?} is not {expected}: correct the value")]
    Value {
        /// Name in the header.
        column: &'static str,
        /// The beginning of what is there.
        value: String,
        /// What should be there.
        expected: &'static str,
    },
    /// A number that is readable and cannot be right.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The rest of the file cannot be read.
    #[error(
        "the file cannot be read from here on ({0}), and its rest is left out: make it readable and run again"
    )]
    Unreadable(#[from] io::Error),
}

/// Counts bad rows and says which of them to show, so that a file of another kind does not flood the terminal.
#[derive(Debug, Default)]
pub(crate) struct BadRows {
    count: u64,
}

impl BadRows {
    /// How many are shown one by one.
    const SHOWN: u64 = 20;

    /// Counts one, and gives the text to show, if any.
    pub(crate) fn count(&mut self, row: &BadRow) -> Option<String> {
        self.count += 1;
        match self.count {
            ..=Self::SHOWN => Some(format!("warning: {row}")),
            n if n == Self::SHOWN + 1 => {
                Some("warning: further bad rows are counted and not shown".into())
            }
            _ => None,
        }
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        self.count
    }
}

impl Reason {
    /// A value that is not `expected`, cut to a length that fits a line of a terminal.
    pub(crate) fn value(
        column: &'static str,
        value: impl fmt::Display,
        expected: &'static str,
    ) -> Self {
        Self::Value {
            column,
            value: value.to_string().chars().take(40).collect(),
            expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(reason: Reason) -> BadRow {
        BadRow {
            file: "a.csv".into(),
            line: 17,
            reason,
        }
    }

    #[test]
    fn a_bad_row_names_file_line_and_cure() {
        let row = bad(Reason::value("Quantity", "six\n", "a whole number"));
        assert_eq!(
            row.to_string(),
            r#"a.csv:17: Quantity "six\n" is not a whole number: correct the value"#
        );
        assert!(
            bad(Reason::Columns(7))
                .to_string()
                .starts_with("a.csv:17: columns: 7 instead of 8: write InvoiceNo,StockCode,")
        );
    }

    #[test]
    fn a_long_value_is_cut() {
        let text = bad(Reason::value("UnitPrice", "9".repeat(4000), "a number")).to_string();
        assert!(text.len() < 120, "{text}");
    }

    #[test]
    fn only_the_first_ones_are_shown_and_all_are_counted() {
        let mut rows = BadRows::default();
        let shown = (0..1000)
            .filter_map(|_| rows.count(&bad(Reason::Quote)))
            .count();
        assert_eq!((shown, rows.total()), (21, 1000));
    }
}
