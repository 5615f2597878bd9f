//! A folder of CSV files, read one after the other in the order of their names.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::bad_row::BadRow;
use crate::csv_orders::CsvOrders;
use crate::order::Order;

/// Reads the orders of a folder's `*.csv` files. One file is open at a time, and no more than a chunk of it is in memory.
///
/// Folders inside, hidden files and files of other kinds are left alone. A file that lies there twice counts twice.
#[derive(Debug)]
pub(crate) struct CsvFolder {
    files: std::vec::IntoIter<PathBuf>,
    current: Option<CsvOrders<File>>,
    size: u64,
    finished: u64,
}

/// A folder that there is nothing to read in.
#[derive(Debug, Error)]
pub(crate) enum FolderError {
    /// Nothing is there, or a file is.
    #[error(
        "{0} is not a folder: give a folder of CSV files with --input, or leave --input out to use generated orders"
    )]
    NotAFolder(PathBuf),
    /// No `*.csv` in it.
    #[error(
        "no *.csv file in {0}: put files like 2010-12-01.csv there, or give another folder with --input"
    )]
    NoCsv(PathBuf),
    /// It cannot be listed.
    #[error("cannot list {0}: make the folder readable, or give another one with --input")]
    Unreadable(PathBuf, #[source] io::Error),
}

impl CsvFolder {
    /// Lists the files; nothing is read yet.
    ///
    /// # Errors
    /// A folder that is not there, cannot be listed, or holds no `*.csv` file.
    pub(crate) fn open(folder: &Path) -> Result<Self, FolderError> {
        if !folder.is_dir() {
            return Err(FolderError::NotAFolder(folder.into()));
        }
        let (files, size) =
            csv_files(folder).map_err(|error| FolderError::Unreadable(folder.into(), error))?;
        if files.is_empty() {
            return Err(FolderError::NoCsv(folder.into()));
        }
        Ok(Self {
            files: files.into_iter(),
            current: None,
            size,
            finished: 0,
        })
    }

    /// How many bytes all files have.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// How many bytes are done with.
    pub(crate) fn consumed(&self) -> u64 {
        self.finished + self.current.as_ref().map_or(0, CsvOrders::consumed)
    }
}

impl Iterator for CsvFolder {
    type Item = Result<Order, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.current.as_mut().and_then(Iterator::next) {
                return Some(item);
            }
            self.finished = self.consumed();
            self.current = None;
            let path = self.files.next()?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            match File::open(&path) {
                Ok(file) => self.current = Some(CsvOrders::new(&name, file)),
                Err(error) => {
                    return Some(Err(BadRow {
                        file: Arc::from(&*name),
                        line: 1,
                        reason: error.into(),
                    }));
                }
            }
        }
    }
}

/// The files in the order of their names, and how many bytes they have together.
fn csv_files(folder: &Path) -> io::Result<(Vec<PathBuf>, u64)> {
    let (mut files, mut size) = (Vec::new(), 0);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let csv = path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        if csv && !hidden && !path.is_dir() {
            size += path.metadata().map_or(0, |file| file.len());
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok((files, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

    fn row(invoice: &str) -> String {
        format!("{invoice},M,Manual,1,2010-12-01 08:26:00,1.5,,EIRE\n")
    }

    #[test]
    fn files_are_read_in_the_order_of_their_names_and_others_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for (name, invoice) in [
            ("b.csv", "2"),
            ("a.CSV", "1"),
            ("c.csv", "3"),
            (".d.csv", "4"),
            ("README.md", "5"),
        ] {
            fs::write(folder.path().join(name), [HEAD, &row(invoice)].concat()).unwrap();
        }
        fs::create_dir(folder.path().join("e.csv")).unwrap();
        let mut read = CsvFolder::open(folder.path()).unwrap();
        let ids: Vec<String> = read.by_ref().map(|order| order.unwrap().id()).collect();
        assert_eq!(ids, ["1@a.CSV:2", "2@b.csv:2", "3@c.csv:2"]);
        assert_eq!(
            (read.consumed(), read.size()),
            (3 * (HEAD.len() + row("1").len()) as u64, read.size())
        );
        assert_eq!(read.consumed(), read.size());
    }

    #[test]
    fn an_invoice_that_goes_on_in_the_next_file_is_a_part_there() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.csv", "b.csv"] {
            fs::write(folder.path().join(name), [HEAD, &row("1")].concat()).unwrap();
        }
        let ids: Vec<String> = CsvFolder::open(folder.path())
            .unwrap()
            .map(|order| order.unwrap().id())
            .collect();
        assert_eq!(ids, ["1@a.csv:2", "1@b.csv:2"]);
    }

    #[test]
    fn a_file_that_went_away_is_reported_and_the_next_one_read() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.csv", "b.csv"] {
            fs::write(folder.path().join(name), [HEAD, &row("1")].concat()).unwrap();
        }
        let read = CsvFolder::open(folder.path()).unwrap();
        fs::remove_file(folder.path().join("a.csv")).unwrap();
        let items: Vec<_> = read.collect();
        assert!(
            items[0]
                .as_ref()
                .unwrap_err()
                .to_string()
                .starts_with("a.csv:1: the file cannot be read")
        );
        assert_eq!(
            (items.len(), items[1].as_ref().unwrap().id()),
            (2, "1@b.csv:2".into())
        );
    }

    #[test]
    fn a_folder_that_cannot_be_used_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        fs::write(&file, "").unwrap();
        for (path, expected) in [
            (folder.path().to_owned(), "no *.csv file in"),
            (
                folder.path().join("missing"),
                "is not a folder: give a folder of CSV files with --input",
            ),
            (file, "is not a folder"),
        ] {
            let error = CsvFolder::open(&path).unwrap_err().to_string();
            assert!(
                error.contains(expected) && error.contains("--input"),
                "{error}"
            );
        }
    }
}
