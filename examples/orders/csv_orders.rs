//! Orders out of the rows of one file.
//!
//! Rows that stand together and agree in invoice, customer and country are one order. An invoice that comes back later, in
//! this file or another, or that has more than [`MAX_LINES`] rows, makes a further order with the same number: a part.
//! Nothing has to be remembered for that, and the totals over all parts are those of the rows.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;

use crate::bad_row::{BadRow, Reason};
use crate::order::{Order, Origin};
use crate::row;
use crate::rows::{NoRow, Row, Rows};

/// Most lines of one order; it keeps messages, and what is held in memory, small. The longest real invoice has 1,114.
pub(crate) const MAX_LINES: usize = 2000;

/// Reads the orders of one file, and says which of its rows cannot be read.
#[derive(Debug)]
pub(crate) struct CsvOrders<R> {
    rows: Rows<R>,
    grouped: Grouped,
    ended: bool,
}

/// Puts rows together.
#[derive(Debug)]
struct Grouped {
    file: Arc<str>,
    begun: bool,
    open: Option<Order>,
    ready: VecDeque<Result<Order, BadRow>>,
}

impl<R: Read> CsvOrders<R> {
    /// Reads `input` from its beginning; `file` is how it is called in orders and in bad rows.
    pub(crate) fn new(file: &str, input: R) -> Self {
        let grouped = Grouped {
            file: file.into(),
            begun: false,
            open: None,
            ready: VecDeque::new(),
        };
        Self {
            rows: Rows::new(input),
            grouped,
            ended: false,
        }
    }

    /// How many bytes are done with.
    pub(crate) fn consumed(&self) -> u64 {
        self.rows.consumed()
    }

    fn step(&mut self) {
        match self.rows.next_row() {
            Ok(Some(row)) => self.grouped.row(row),
            Ok(None) => {
                self.grouped.end();
                self.ended = true;
            }
            Err(error) => self.grouped.no_row(error),
        }
    }
}

impl<R: Read> Iterator for CsvOrders<R> {
    type Item = Result<Order, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.grouped.ready.is_empty() && !self.ended {
            self.step();
        }
        self.grouped.ready.pop_front()
    }
}

impl Grouped {
    fn row(&mut self, row: &Row) {
        if !self.begun {
            self.begun = true;
            if row::is_header(row) {
                return;
            }
            self.bad(row.line(), Reason::MissingHeader);
        }
        match row::parse(row) {
            Ok((head, line)) => match &mut self.open {
                Some(order) if head.is_of(order) && order.lines.len() < MAX_LINES => {
                    order.lines.push(line);
                }
                _ => {
                    let origin = Origin {
                        file: self.file.to_string(),
                        line: row.line(),
                    };
                    let before = self.open.replace(head.into_order(origin, line));
                    self.ready.extend(before.map(Ok));
                }
            },
            Err(reason) => self.bad(row.line(), reason),
        }
    }

    fn no_row(&mut self, error: NoRow) {
        self.begun = true;
        self.bad(error.line, error.reason);
    }

    fn end(&mut self) {
        if !self.begun {
            self.bad(1, Reason::EmptyFile);
        }
        self.ready.extend(self.open.take().map(Ok));
    }

    fn bad(&mut self, line: u64, reason: Reason) {
        self.ready.push_back(Err(BadRow {
            file: Arc::clone(&self.file),
            line,
            reason,
        }));
    }
}

#[cfg(test)]
mod tests;
