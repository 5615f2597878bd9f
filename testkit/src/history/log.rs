//! The writer of a log.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind as IoKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use mq_core::error::{Error, ErrorKind, Result};

use super::entry::Entry;
use super::frame::{FRAME, Stamped, encode_header};
use super::io_error;

/// What the files of logs end with.
const EXTENSION: &str = "history";

/// A log that one start of one process appends to, from any number of threads.
///
/// An entry is one write call of 72 bytes and stands in the file, for every reader, when the call returns; so a
/// process that is killed loses no entry that it wrote. Against the loss of power, see [`Log::sync`].
/// The calls block for the time of a write to the page cache, about a microsecond.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    tail: Mutex<Tail>,
}

#[derive(Debug)]
struct Tail {
    file: File,
    frames: u64,
    nanos: u64,
    broken: bool,
}

impl Log {
    /// Starts a new log in a folder, which is made if missing. Each start of a process has a log of its own, numbered
    /// from zero: `sink-0.history`, `sink-1.history`. Nothing is ever written to a log of another start.
    ///
    /// Characters of the name that are no letters, digits, `-`, `_` or `.` become `_`.
    ///
    /// # Errors
    /// The folder or the file cannot be made.
    pub fn create(folder: impl AsRef<Path>, process: &str) -> Result<Self> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder)
            .map_err(|e| io_error("a folder for logs cannot be made", folder, e))?;
        let process: String = process.chars().map(plain).collect();
        let mut start = 0_u64;
        loop {
            let name = format!("{process}-{start}");
            let path = folder.join(format!("{name}.{EXTENSION}"));
            match Tail::create(&path, &name) {
                Ok(tail) => {
                    return Ok(Self {
                        path,
                        tail: Mutex::new(tail),
                    });
                }
                Err(e) if e.kind() == IoKind::AlreadyExists => start += 1,
                Err(e) => return Err(io_error("a log cannot be made", &path, e)),
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes an entry, with the time of now.
    ///
    /// # Errors
    /// The write failed, or an earlier one did: then the log takes nothing more, since a part of an entry may stand
    /// at its end.
    pub fn append(&self, entry: Entry) -> Result<()> {
        self.append_all(&[entry])
    }

    /// Writes entries in one write call, each with the time of now.
    ///
    /// # Errors
    /// As [`Log::append`]; then a first part of the entries may stand in the log.
    pub fn append_all(&self, entries: &[Entry]) -> Result<()> {
        self.write(entries, SystemTime::now)
    }

    /// Writes an entry with a time from elsewhere, such as that of a row. Times rise within a log: one that is not
    /// after the last becomes a nanosecond more than it.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_at(&self, time: SystemTime, entry: Entry) -> Result<()> {
        self.write(&[entry], || time)
    }

    /// Waits until what was written would outlive a loss of power.
    ///
    /// # Errors
    /// The system could not write it down.
    pub fn sync(&self) -> Result<()> {
        let done = self.tail().file.sync_data();
        done.map_err(|e| io_error("a log cannot be written down", &self.path, e))
    }

    /// The clock is read under the lock, so that the order of the times is the order in the file.
    fn write(&self, entries: &[Entry], clock: impl Fn() -> SystemTime) -> Result<()> {
        let mut tail = self.tail();
        if tail.broken {
            return Err(self.broken());
        }
        let done = tail.write(entries, clock);
        done.map_err(|e| io_error("an entry cannot be written to a log", &self.path, e))
    }

    fn broken(&self) -> Error {
        Error::new(
            ErrorKind::Closed,
            "a write to this log failed before; start a new log",
        )
        .operation("history")
        .context("path", self.path.display())
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tail {
    fn create(path: &Path, name: &str) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)?;
        file.write_all(&encode_header(name))?;
        Ok(Self {
            file,
            frames: 0,
            nanos: 0,
            broken: false,
        })
    }

    fn write(&mut self, entries: &[Entry], clock: impl Fn() -> SystemTime) -> io::Result<()> {
        let done = match entries {
            [entry] => {
                let frame = self.stamp(*entry, clock());
                self.file.write_all(&frame)
            }
            entries => {
                let mut bytes = Vec::with_capacity(entries.len() * FRAME);
                for entry in entries {
                    bytes.extend_from_slice(&self.stamp(*entry, clock()));
                }
                self.file.write_all(&bytes)
            }
        };
        self.broken = done.is_err();
        done
    }

    fn stamp(&mut self, entry: Entry, time: SystemTime) -> [u8; FRAME] {
        self.nanos = nanos(time).max(self.nanos.saturating_add(1));
        let frame = Stamped {
            nanos: self.nanos,
            entry,
        }
        .encode(self.frames);
        self.frames += 1;
        frame
    }
}

/// Nanoseconds since 1970; reaches to the year 2554.
fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn plain(c: char) -> char {
    if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') {
        c
    } else {
        '_'
    }
}

/// The logs in a folder, in the order of their names; other files and folders below are passed over.
///
/// # Errors
/// The folder cannot be read.
pub fn logs_in(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let folder = folder.as_ref();
    let paths = std::fs::read_dir(folder).and_then(|found| {
        let paths = found.map(|found| found.map(|found| found.path()));
        paths.collect::<io::Result<Vec<_>>>()
    });
    let mut paths = paths.map_err(|e| io_error("a folder of logs cannot be read", folder, e))?;
    paths.retain(|path| path.extension().is_some_and(|found| found == EXTENSION));
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::super::entry::Id;
    use super::*;

    #[test]
    fn a_log_takes_nothing_more_after_a_write_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::create(folder.path(), "sink").unwrap();
        let read_only = File::open(log.path()).unwrap();
        let tail = log.tail.get_mut().unwrap();
        let writable = std::mem::replace(&mut tail.file, read_only);
        assert_eq!(
            log.append(Entry::seen(Id::new(1))).unwrap_err().kind(),
            ErrorKind::Unavailable
        );
        log.tail.get_mut().unwrap().file = writable;
        let error = log.append(Entry::seen(Id::new(1))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(error.message().ends_with("start a new log"));
        assert_eq!(std::fs::metadata(log.path()).unwrap().len(), 128);
    }
}
