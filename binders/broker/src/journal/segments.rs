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

    /// Appends up to `len` bytes from a position to the buffer; fewer at the end of the file.
    pub(crate) fn append_from(&self, buffer: &mut Vec<u8>, len: usize, lsn: u64) -> io::Result<()> {
        let file = self
            .file(lsn)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the segment is gone"))?;
        file.append_from(buffer, len, lsn % self.size)
    }

    fn read(&self) -> RwLockReadGuard<'_, Files> {
        self.files.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Files> {
        self.files.write().unwrap_or_else(PoisonError::into_inner)
    }
}
