//! The segments that are there, and reading from them.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use crate::storage::File;

type Files = BTreeMap<u64, Arc<dyn File>>;

/// The open segments by number.
#[derive(Debug)]
pub(crate) struct Segments {
    size: u64,
    files: RwLock<Files>,
}

impl Segments {
    /// Segments of this size.
    pub(crate) fn new(size: u64) -> Self {
        Self {
            size,
            files: RwLock::default(),
        }
    }

    /// Bytes of a segment.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a segment.
    pub(crate) fn add(&self, number: u64, file: Arc<dyn File>) {
        self.write().insert(number, file);
    }

    /// Forgets a segment; who still reads it may go on.
    pub(crate) fn remove(&self, number: u64) {
        self.write().remove(&number);
    }

    /// The numbers of all segments, in order.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.read().keys().copied().collect()
    }

    /// The file that a position is in.
    pub(crate) fn file(&self, lsn: u64) -> Option<Arc<dyn File>> {
        self.read().get(&(lsn / self.size)).cloned()
    }

    /// Reads from a position to the end of the buffer, or to the end of the segment.
    pub(crate) fn read_at(&self, lsn: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let file = self
            .file(lsn)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the segment is gone"))?;
        let at = lsn % self.size;
        let room = usize::try_from(self.size - at).unwrap_or(usize::MAX);
        let len = buffer.len().min(room);
        file.read_at(&mut buffer[..len], at)
    }

    fn read(&self) -> RwLockReadGuard<'_, Files> {
        self.files.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Files> {
        self.files.write().unwrap_or_else(PoisonError::into_inner)
    }
}
