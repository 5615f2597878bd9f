//! The reader of a log: every sound frame, and an account of the others.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Take};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mq_core::error::{Error, ErrorKind, Result};

use super::entry::Entry;
use super::frame::{FRAME, HEADER, Header, Stamped};
use super::io_error;
use super::report::LogReport;

/// Bytes read at once: whole frames, about half a mebibyte.
const CHUNK: usize = 8192 * FRAME;

/// Reads one log up to a length, so that a second reading of a growing log finds the same.
#[derive(Debug)]
pub(super) struct Reader {
    path: PathBuf,
    process: Arc<str>,
    file: Take<File>,
    length: u64,
    entries: u64,
    damaged: u64,
    /// Bytes behind the last sound frame: torn, or damaged if a sound one follows.
    bad: u64,
    number: u64,
    nanos: u64,
}

impl Reader {
    /// Reads no more than `length` bytes of it.
    pub(super) fn open(path: &Path, length: u64) -> Result<Self> {
        let file = File::open(path).map_err(|e| io_error("a log cannot be read", path, e))?;
        let mut reader = Self {
            path: path.to_owned(),
            process: stem(path),
            file: file.take(length),
            length,
            entries: 0,
            damaged: 0,
            bad: 0,
            number: 0,
            nanos: 0,
        };
        reader.read_header()?;
        Ok(reader)
    }

    /// The name of the log.
    pub(super) fn process(&self) -> Arc<str> {
        Arc::clone(&self.process)
    }

    /// Gives every sound entry to `each`, in order, then accounts for the log.
    ///
    /// Times rise strictly, by a nanosecond where the log does not say so.
    pub(super) fn read(mut self, mut each: impl FnMut(Stamped) -> Result<()>) -> Result<LogReport> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let filled = self.fill(&mut chunk)?;
            let (frames, rest) = chunk[..filled].as_chunks::<FRAME>();
            for frame in frames {
                if let Some(stamped) = self.take_frame(frame) {
                    each(stamped)?;
                }
            }
            self.bad += rest.len() as u64;
            if filled < CHUNK {
                return Ok(self.into_report());
            }
        }
    }

    fn take_frame(&mut self, frame: &[u8; FRAME]) -> Option<Stamped> {
        let found = Stamped::decode(frame, self.number);
        self.number += 1;
        let Some(mut stamped) = found else {
            self.bad += FRAME as u64;
            return None;
        };
        self.damaged += self.bad.div_ceil(FRAME as u64);
        self.bad = 0;
        self.entries += 1;
        self.nanos = stamped.nanos.max(self.nanos.saturating_add(1));
        stamped.nanos = self.nanos;
        Some(stamped)
    }

    fn read_header(&mut self) -> Result<()> {
        let mut header = [0; HEADER];
        let filled = self.fill(&mut header)?;
        if filled < HEADER {
            self.bad = filled as u64;
            return Ok(());
        }
        match Header::decode(&header) {
            Header::Named(name) => self.process = name.into(),
            Header::Damaged => self.damaged = 1,
            Header::Foreign => return Err(foreign(&self.path)),
        }
        Ok(())
    }

    /// Fills the buffer, or less at the end.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(io_error("a log cannot be read", &self.path, e)),
            }
        }
        Ok(filled)
    }

    fn into_report(self) -> LogReport {
        LogReport {
            path: self.path,
            process: self.process,
            bytes: self.length,
            entries: self.entries,
            torn: self.bad,
            damaged: self.damaged,
        }
    }
}

/// Gives every sound entry of a log to `each`, in order, and accounts for the log: for a process that goes on where an earlier
/// one was.
///
/// # Errors
/// The file cannot be read, or is no log.
pub fn read_log(path: impl AsRef<Path>, mut each: impl FnMut(Entry)) -> Result<LogReport> {
    let path = path.as_ref();
    let length = path.metadata().map(|found| found.len());
    let length = length.map_err(|e| io_error("a log cannot be read", path, e))?;
    Reader::open(path, length)?.read(|stamped| {
        each(stamped.entry);
        Ok(())
    })
}

/// The bytes of each log as they are now, before any of them is read.
///
/// # Errors
/// One is missing, or is named twice: its messages would look delivered twice.
pub(super) fn lengths(logs: &[PathBuf]) -> Result<Vec<u64>> {
    let mut known = HashSet::new();
    let lengths = logs.iter().map(|path| {
        let real = path
            .canonicalize()
            .and_then(|real| Ok((real.metadata()?.len(), real)));
        let (length, real) = real.map_err(|e| io_error("a log cannot be read", path, e))?;
        if known.insert(real) {
            Ok(length)
        } else {
            Err(twice(path))
        }
    });
    lengths.collect()
}

/// Entries that logs of these lengths hold at most.
pub(super) fn most_entries(lengths: &[u64]) -> u64 {
    let frames = lengths
        .iter()
        .map(|length| length.saturating_sub(HEADER as u64) / FRAME as u64);
    frames.sum()
}

fn stem(path: &Path) -> Arc<str> {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into()
}

fn twice(path: &Path) -> Error {
    Error::new(
        ErrorKind::Config,
        "the same log is given twice; give each log once",
    )
    .operation("history")
    .context("path", path.display())
}

fn foreign(path: &Path) -> Error {
    Error::new(
        ErrorKind::Config,
        "not a log of a history; give files that end in .history",
    )
    .operation("history")
    .context("path", path.display())
}
