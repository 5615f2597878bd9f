//! Sorted runs in a temporary file, and their merge.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use mq_core::error::Result;

use super::io_error;
use super::sorter::Record;

/// Bytes of a run that are read at once, and of records that are written at once.
const CHUNK: usize = 1 << 16;

/// One temporary file without a name, made when first needed; the system removes it with the process.
#[derive(Debug)]
pub(super) struct Spill {
    folder: PathBuf,
    file: Option<File>,
    length: u64,
    runs: Vec<Range<u64>>,
}

impl Spill {
    /// In this folder, or in that of the system for temporary files.
    pub(super) fn new(folder: Option<&Path>) -> Self {
        Self {
            folder: folder.map_or_else(std::env::temp_dir, Path::to_owned),
            file: None,
            length: 0,
            runs: Vec::new(),
        }
    }

    /// Writes a sorted run.
    pub(super) fn write<R: Record>(&mut self, records: &[R]) -> Result<()> {
        let written = self.try_write(records);
        written.map_err(|e| {
            io_error(
                "a temporary file cannot be written; name a folder with room",
                &self.folder,
                e,
            )
        })
    }

    /// One cursor for each run.
    pub(super) fn cursors<R>(&self) -> Vec<Cursor<R>> {
        self.runs.iter().cloned().map(Cursor::in_file).collect()
    }

    fn try_write<R: Record>(&mut self, records: &[R]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.folder)?),
        };
        let start = self.length;
        let mut bytes = vec![0; CHUNK / R::SIZE * R::SIZE];
        for part in records.chunks(CHUNK / R::SIZE) {
            for (record, bytes) in part.iter().zip(bytes.chunks_exact_mut(R::SIZE)) {
                record.encode(bytes);
            }
            let filled = part.len() * R::SIZE;
            file.write_all(&bytes[..filled])?;
            self.length += filled as u64;
        }
        self.runs.push(start..self.length);
        Ok(())
    }

    /// The next records of a run; moves its start behind them.
    fn read<R: Record>(&mut self, run: &mut Range<u64>, records: &mut Vec<R>) -> Result<()> {
        records.clear();
        let left = usize::try_from(run.end - run.start).unwrap_or(usize::MAX);
        let wanted = left.min(CHUNK / R::SIZE * R::SIZE);
        if wanted == 0 {
            return Ok(());
        }
        let bytes = self.read_bytes(run.start, wanted);
        let bytes =
            bytes.map_err(|e| io_error("a temporary file cannot be read", &self.folder, e))?;
        records.extend(bytes.chunks_exact(R::SIZE).map(R::decode));
        run.start += wanted as u64;
        Ok(())
    }

    fn read_bytes(&mut self, start: u64, wanted: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; wanted];
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut bytes)?;
        }
        Ok(bytes)
    }
}

/// Where the merge stands in one run.
#[derive(Debug)]
pub(super) enum Cursor<R> {
    /// In the buffer of the sorter.
    Memory(Range<usize>),
    /// In the file: what is left there, and the records that were read from it.
    File {
        run: Range<u64>,
        records: Vec<R>,
        next: usize,
    },
}

impl<R> Cursor<R> {
    pub(super) const fn in_memory(range: Range<usize>) -> Self {
        Self::Memory(range)
    }

    pub(super) const fn in_file(run: Range<u64>) -> Self {
        Self::File {
            run,
            records: Vec::new(),
            next: 0,
        }
    }
}

/// The records of all runs, in order.
#[derive(Debug)]
pub(super) struct Merge<R> {
    buffer: Vec<R>,
    spill: Spill,
    cursors: Vec<Cursor<R>>,
    heads: BinaryHeap<Head<R>>,
}

impl<R: Record> Merge<R> {
    pub(super) fn new(buffer: Vec<R>, spill: Spill, cursors: Vec<Cursor<R>>) -> Result<Self> {
        let mut merge = Self {
            buffer,
            spill,
            heads: BinaryHeap::with_capacity(cursors.len()),
            cursors,
        };
        for run in 0..merge.cursors.len() {
            if let Some(record) = merge.advance(run)? {
                merge.heads.push(Head { record, run });
            }
        }
        Ok(merge)
    }

    fn advance(&mut self, run: usize) -> Result<Option<R>> {
        match &mut self.cursors[run] {
            Cursor::Memory(range) => Ok(range.next().map(|at| self.buffer[at])),
            Cursor::File { run, records, next } => {
                if *next == records.len() {
                    self.spill.read(run, records)?;
                    *next = 0;
                }
                *next += 1;
                Ok(records.get(*next - 1).copied())
            }
        }
    }

    fn pop(&mut self) -> Result<Option<R>> {
        let Some(&Head { record, run }) = self.heads.peek() else {
            return Ok(None);
        };
        let next = self.advance(run)?;
        if let Some(mut head) = self.heads.peek_mut() {
            match next {
                Some(next) => head.record = next,
                None => drop(PeekMut::pop(head)),
            }
        }
        Ok(Some(record))
    }
}

impl<R: Record> Iterator for Merge<R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        self.pop().transpose()
    }
}

/// The first record of a run; the least is the greatest of the heap.
#[derive(Debug, PartialEq, Eq)]
struct Head<R> {
    record: R,
    run: usize,
}

impl<R: Ord> Ord for Head<R> {
    fn cmp(&self, other: &Self) -> Ordering {
        (&other.record, other.run).cmp(&(&self.record, self.run))
    }
}

impl<R: Ord> PartialOrd for Head<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
