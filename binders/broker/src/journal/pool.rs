//! Spare segments: files that have been written once already.
//!
//! A sync of a file whose blocks exist takes half as long as one of a growing file, and spares are room that acknowledgements can
//! still use when the disk is full.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::storage::{File, Storage};

/// Files to be used as segments.
#[derive(Debug)]
pub(crate) struct Pool {
    storage: Arc<dyn Storage>,
    segment: u64,
    /// How many spares there are to be.
    wanted: usize,
    spares: Mutex<Vec<String>>,
    /// Numbers of files, and of lives of files.
    next: AtomicU64,
}

impl Pool {
    /// A pool that takes over the spares that are there; `epoch` must be higher than any in use.
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        segment: u64,
        wanted: usize,
        spares: Vec<String>,
        epoch: u64,
    ) -> Self {
        Self {
            storage,
            segment,
            wanted,
            spares: Mutex::new(spares),
            next: AtomicU64::new(epoch),
        }
    }

    /// The number of the spare in this file, if it is one.
    pub(crate) fn number_of(name: &str) -> Option<u64> {
        name.strip_prefix("spare-")?
            .strip_suffix(".segment")?
            .parse()
            .ok()
    }

    /// A number that no segment of this folder has had.
    pub(crate) fn epoch(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// How many spares there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Takes a spare, or a new file, under the name of a segment.
    pub(crate) fn take(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let spare = self.lock().pop();
        let Some(spare) = spare else {
            return self.storage.create(name);
        };
        self.storage.rename(&spare, name)?;
        self.storage.open(name)
    }

    /// Takes back the file of a segment that nobody needs any more, or removes it.
    pub(crate) fn give_back(&self, name: &str) -> io::Result<()> {
        if self.len() >= self.wanted {
            return self.storage.remove(name);
        }
        let spare = self.name();
        self.storage.rename(name, &spare)?;
        self.lock().push(spare);
        Ok(())
    }

    /// Whether there are too few spares.
    pub(super) fn is_short(&self) -> bool {
        self.len() < self.wanted
    }

    /// Takes a file over as a spare.
    pub(super) fn put(&self, draft: &str, name: String) -> io::Result<()> {
        self.storage.rename(draft, &name)?;
        self.storage.sync()?;
        self.lock().push(name);
        Ok(())
    }

    /// Where the files are.
    pub(super) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    /// Bytes of a segment.
    pub(super) fn segment(&self) -> u64 {
        self.segment
    }

    /// The name of the next spare.
    pub(super) fn name(&self) -> String {
        format!("spare-{:020}.segment", self.epoch())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
