//! The part of a segment that is in memory while the journal is read.

use std::io;

use super::{
    ahead::{Ahead, HEAD},
    frame::HEADER,
};
use crate::storage::File;

/// Bytes that are read at a time where nothing is read ahead.
const WINDOW: usize = 1 << 20;

/// Bytes of a file in a buffer.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) segment: u64,
    /// Where in the file they are.
    pub(super) start: u64,
    pub(super) buffer: Vec<u8>,
    /// Where in the buffer they begin and end.
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Part {
    fn end(&self) -> u64 {
        self.start + (self.to - self.from) as u64
    }

    /// The bytes from this place of the file on.
    fn bytes_from(&self, at: u64) -> Option<&[u8]> {
        let skip = usize::try_from(at.checked_sub(self.start)?).ok()?;
        self.buffer.get(self.from..self.to)?.get(skip..)
    }

    /// Puts bytes before these.
    fn prepend(&mut self, bytes: &[u8]) {
        let from = self.from - bytes.len();
        self.buffer[from..self.from].copy_from_slice(bytes);
        self.from = from;
        self.start -= bytes.len() as u64;
    }
}

/// The part of a file that is in memory.
#[derive(Debug, Default)]
pub(super) struct Window {
    part: Part,
    /// Bytes of the file.
    len: u64,
    ahead: Option<Ahead>,
}

impl Window {
    /// A window that is filled from what is read ahead, where that is there.
    pub(super) fn new(ahead: Option<Ahead>) -> Self {
        Self {
            ahead,
            ..Self::default()
        }
    }

    /// Goes to another file.
    pub(super) fn enter(&mut self, segment: u64, file: Option<&dyn File>) -> io::Result<()> {
        self.len = file.map_or(Ok(0), File::size)?;
        (self.part.segment, self.part.start) = (segment, 0);
        (self.part.from, self.part.to) = (0, 0);
        Ok(())
    }

    /// These bytes of the file; `None` beyond its end.
    pub(super) fn bytes(
        &mut self,
        file: &dyn File,
        at: u64,
        len: usize,
    ) -> io::Result<Option<&[u8]>> {
        let bytes = self.bytes_from(file, at, len)?;
        Ok(bytes.and_then(|bytes| bytes.get(..len)))
    }

    /// These bytes of the file, and those behind them that are in memory; `None` beyond its end.
    pub(super) fn bytes_from(
        &mut self,
        file: &dyn File,
        at: u64,
        len: usize,
    ) -> io::Result<Option<&[u8]>> {
        if at + len as u64 > self.len {
            return Ok(None);
        }
        if !self.covers(at, len) && !self.take_ahead(at, len) {
            self.read(file, at, len)?;
        }
        Ok(self.part.bytes_from(at))
    }

    /// Whether anything but zeros was written at this place.
    pub(super) fn is_written(&mut self, file: &dyn File, at: u64) -> io::Result<bool> {
        let len = usize::try_from(self.len.saturating_sub(at)).unwrap_or(0);
        let bytes = self.bytes(file, at, len.min(HEADER))?;
        Ok(bytes.is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0)))
    }

    fn covers(&self, at: u64, len: usize) -> bool {
        let bytes = self.part.bytes_from(at);
        bytes.is_some_and(|bytes| bytes.len() >= len)
    }

    fn read(&mut self, file: &dyn File, at: u64, len: usize) -> io::Result<()> {
        let rest = usize::try_from(self.len - at).unwrap_or(usize::MAX);
        let buffer = &mut self.part.buffer;
        buffer.clear();
        file.append_from(buffer, len.max(WINDOW.min(rest)), at)?;
        (self.part.start, self.part.from, self.part.to) = (at, 0, buffer.len());
        Ok(())
    }

    /// Goes on to what was read ahead; returns whether that has these bytes.
    fn take_ahead(&mut self, at: u64, len: usize) -> bool {
        let Some(ahead) = &mut self.ahead else {
            return false;
        };
        while let Some(next) = ahead.peek(self.part.segment) {
            let rest = match self.part.bytes_from(at) {
                _ if next.start <= at => &[],
                Some(rest) if self.part.end() == next.start && rest.len() <= HEAD => rest,
                _ => return false,
            };
            let Some(mut next) = ahead.take() else {
                return false;
            };
            next.prepend(rest);
            let old = std::mem::replace(&mut self.part, next);
            ahead.give_back(old.buffer);
            let bytes = self.part.bytes_from(at);
            if bytes.is_some_and(|bytes| bytes.len() >= len) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::{io::IoSlice, sync::Arc};

    use super::*;
    use crate::{
        journal::ahead::Course,
        storage::{
            Storage,
            sim::{Disk, Seeded},
        },
    };

    #[test]
    fn what_is_read_ahead_is_what_is_in_the_files() {
        let disk = Disk::new();
        let mut chance = Seeded::new(7);
        let mut files = Vec::new();
        for (number, size) in [(3, 5_000_000), (4, 1 << 20), (6, 1_500), (9, 4_500_001)] {
            let bytes: Vec<u8> = (0..size / 8 + 1)
                .flat_map(|_| chance.below(u64::MAX).to_le_bytes())
                .take(size)
                .collect();
            let file = disk.create(&number.to_string()).unwrap();
            file.write_at(&[IoSlice::new(&bytes)], 0).unwrap();
            files.push((number, file, bytes));
        }
        for _ in 0..30 {
            let segments = files
                .iter()
                .map(|(number, file, _)| (*number, file.clone()));
            let course = Course {
                segments: segments.collect(),
                from: 1_000,
            };
            let ahead = Ahead::begin(course);
            assert!(ahead.is_some());
            let mut window = Window::new(ahead);
            for (number, file, bytes) in &files {
                window.enter(*number, Some(&**file)).unwrap();
                let mut at = if *number == 3 { 1_000 } else { 0 };
                while at < bytes.len() {
                    let most =
                        [64, 5_000, 400_000, 4_900_000][usize::try_from(chance.below(4)).unwrap()];
                    let len = usize::try_from(chance.below(most)).unwrap();
                    let found = window.bytes(&**file, at as u64, len).unwrap();
                    assert_eq!(found, bytes.get(at..at + len), "{number}: {at}, {len}");
                    if chance.below(3) > 0 {
                        at += len.max(1);
                    } else if chance.below(20) == 0 {
                        // Back, as after damage.
                        at /= 2;
                    }
                }
            }
        }
    }

    #[test]
    fn a_small_journal_is_not_read_ahead() {
        let disk = Disk::new();
        let file: Arc<dyn File> = disk.create("a").unwrap();
        file.write_at(&[IoSlice::new(&[1, 2, 3])], 0).unwrap();
        let course = Course {
            segments: vec![(0, file.clone())],
            from: 0,
        };
        assert!(Ahead::begin(course).is_none());
        let mut window = Window::default();
        window.enter(0, Some(&*file)).unwrap();
        assert_eq!(window.bytes(&*file, 1, 2).unwrap(), Some(&[2, 3][..]));
        assert_eq!(window.bytes(&*file, 1, 3).unwrap(), None);
    }
}
