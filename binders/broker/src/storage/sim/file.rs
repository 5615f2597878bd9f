//! Open files.

use std::{
    io::{self, IoSlice},
    sync::PoisonError,
};

use super::{Disk, fault::Kind};
use crate::storage::File;

/// An open file, by its number.
#[derive(Debug)]
pub(super) struct Open(pub(super) Disk, pub(super) usize);

impl File for Open {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let inner = self.0.lock();
        inner.check()?;
        let data = inner.inodes[self.1].data();
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(data.len());
        let len = buffer.len().min(data.len() - from);
        buffer[..len].copy_from_slice(&data[from..from + len]);
        Ok(len)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<()> {
        let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
        let mut bytes = parts.concat();
        let mut inner = self.0.lock();
        inner.check()?;
        let mut begun = inner.begin(Kind::Write);
        if inner.is_crashed() {
            // The last write may have reached the disk in part: it is one that was not synced.
            inner.inodes[self.1].write(at, bytes);
            return begun;
        }
        let end = at + bytes.len() as u64;
        let len = inner.inodes[self.1].data().len() as u64;
        begun = begun.and_then(|()| inner.grow(end.saturating_sub(len)));
        if begun.is_err() {
            bytes.truncate(bytes.len() / 2);
        }
        inner.inodes[self.1].write(at, bytes);
        begun
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.0.lock();
        while inner.holds_syncs && !inner.is_crashed() {
            let released = self.0.0.released.wait(inner);
            inner = released.unwrap_or_else(PoisonError::into_inner);
        }
        let begun = inner.begin(Kind::Sync);
        let is_crashed = inner.is_crashed();
        match &begun {
            Ok(()) => inner.inodes[self.1].sync(),
            Err(_) if is_crashed => {}
            Err(_) => inner.inodes[self.1].lose_sync(),
        }
        begun
    }

    fn size(&self) -> io::Result<u64> {
        let inner = self.0.lock();
        inner.check()?;
        Ok(inner.inodes[self.1].data().len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut inner = self.0.lock();
        inner.begin(Kind::Other)?;
        inner.inodes[self.1].set_len(usize::try_from(len).unwrap_or(usize::MAX));
        Ok(())
    }
}
