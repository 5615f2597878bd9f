#![doc = include_str!("README.md")]

mod entry;
mod log;
mod frame;
mod reader;
mod checker;
mod verdict;
mod report;
mod tally;
mod lanes;
mod stories;
mod sorter;
mod runs;

pub use checker::{Checker, Goal};
pub use entry::{Entry, Event, Id, Key, Lane, Place, What};
pub use log::{Log, logs_in};
pub use reader::read_log;
pub use report::{Finding, LogReport, Report, Summary};
pub use verdict::{Verdict, Verdicts};

use std::path::Path;

use mq_core::error::{Error, ErrorKind};

/// A file operation of the history that failed.
fn io_error(what: &str, path: &Path, source: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, what)
        .operation("history")
        .context("path", path.display())
        .source(source)
}
