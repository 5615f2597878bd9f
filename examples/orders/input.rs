//! Where the orders come from: a folder, or the generator.

use std::path::Path;

use crate::bad_row::BadRow;
use crate::csv_folder::{CsvFolder, FolderError};
use crate::csv_orders::CsvOrders;
use crate::generator::Generator;
use crate::order::Order;

/// The orders, one by one, and how far they are through.
#[derive(Debug)]
pub(crate) enum Input {
    /// Files; progress is in bytes.
    Folder(CsvFolder),
    /// Generated orders; progress is in invoices.
    Generated {
        /// The generator's text, read like a file.
        orders: CsvOrders<Generator>,
        /// How many were asked for.
        invoices: u64,
        /// How many came out.
        done: u64,
    },
}

impl Input {
    /// The files of a folder.
    ///
    /// # Errors
    /// A folder that there is nothing to read in.
    pub(crate) fn folder(folder: &Path) -> Result<Self, FolderError> {
        CsvFolder::open(folder).map(Self::Folder)
    }

    /// That many generated invoices.
    pub(crate) fn generated(invoices: u64) -> Self {
        Self::Generated {
            orders: CsvOrders::new("generated", Generator::new(invoices)),
            invoices,
            done: 0,
        }
    }

    /// How much there is, in bytes or invoices.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Folder(folder) => folder.size(),
            Self::Generated { invoices, .. } => *invoices,
        }
    }

    /// How much of [`size`](Self::size) is done with.
    pub(crate) fn done(&self) -> u64 {
        match self {
            Self::Folder(folder) => folder.consumed(),
            Self::Generated { done, .. } => *done,
        }
    }
}

impl Iterator for Input {
    type Item = Result<Order, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Folder(folder) => folder.next(),
            Self::Generated { orders, done, .. } => {
                let order = orders.next()?;
                *done += 1;
                Some(order)
            }
        }
    }
}
