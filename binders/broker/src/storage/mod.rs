//! What the broker needs of a folder: a few calls, so that tests can put a disk behind them that fails on demand.

mod real;
#[doc(hidden)]
pub mod sim;

use std::{
    fmt,
    io::{self, IoSlice},
    sync::Arc,
};

pub use real::Folder;

/// A folder that one broker owns.
///
/// What is written is durable after [`File::sync`]; a created, renamed or removed name after [`sync`](Self::sync).
pub trait Storage: Send + Sync + fmt::Debug + 'static {
    /// Takes the folder for this process, until [`unlock`](Self::unlock).
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`]: another broker has it.
    fn lock(&self) -> io::Result<()>;

    /// Gives the folder back.
    fn unlock(&self);

    /// What the process that has the folder, or had it last, has [written](Self::set_note) about itself; empty by default.
    ///
    /// # Errors
    /// It cannot be read.
    fn note(&self) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Writes down who has the folder, for those who find it locked; called with the lock only. Does nothing by default.
    ///
    /// # Errors
    /// It cannot be written.
    fn set_note(&self, note: &[u8]) -> io::Result<()> {
        let _ = note;
        Ok(())
    }

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// The file is not there, or cannot be opened.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Creates an empty file; one of this name is emptied.
    ///
    /// # Errors
    /// The file system refuses.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Renames a file; one of the new name is replaced.
    ///
    /// # Errors
    /// The file system refuses.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The file system refuses.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of all files, in any order.
    ///
    /// # Errors
    /// The folder cannot be read.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes created, renamed and removed names durable.
    ///
    /// # Errors
    /// The file system refuses.
    fn sync(&self) -> io::Result<()>;

    /// Bytes that may still be written here.
    ///
    /// # Errors
    /// The file system does not say.
    fn free(&self) -> io::Result<u64>;
}

/// An open file.
pub trait File: Send + Sync + fmt::Debug {
    /// Fills `buffer` from `at`; returns fewer bytes only at the end of the file.
    ///
    /// # Errors
    /// The bytes cannot be read.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;

    /// Appends `len` bytes from `at` to the buffer; fewer only at the end of the file.
    ///
    /// # Errors
    /// The bytes cannot be read.
    fn append_from(&self, buffer: &mut Vec<u8>, len: usize, at: u64) -> io::Result<()> {
        let before = buffer.len();
        buffer.resize(before + len, 0);
        let read = self.read_at(&mut buffer[before..], at)?;
        buffer.truncate(before + read);
        Ok(())
    }

    /// Says that the file will be read from front to back, so that more of it can be made ready; does nothing by default.
    fn will_read(&self) {}

    /// Writes all of `parts`, one after the other, from `at`.
    ///
    /// # Errors
    /// Not all could be written; some may be.
    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<()>;

    /// Makes what was written durable (`fdatasync`).
    ///
    /// # Errors
    /// Whatever was written since the last success may be lost, and no later call changes that.
    fn sync(&self) -> io::Result<()>;

    /// The length in bytes.
    ///
    /// # Errors
    /// The file system does not say.
    fn size(&self) -> io::Result<u64>;

    /// Cuts or extends the file; an extension reads as zeros.
    ///
    /// # Errors
    /// The file system refuses.
    fn set_len(&self, len: u64) -> io::Result<()>;
}
