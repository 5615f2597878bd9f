//! A folder of the file system.

use std::{
    fs::{self, OpenOptions},
    io::{self, IoSlice},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{
    buffer::spare_capacity,
    fs::{Advice, FlockOperation, fadvise, fdatasync, flock, statvfs},
    io::{Errno, pread, pwritev, retry_on_intr},
};

use super::{File, Storage};

/// The file whose lock says that a broker has the folder.
const LOCK: &str = "LOCK";
/// So many parts are written by one call of the operating system (`IOV_MAX` is 1,024 on Linux).
const PARTS: usize = 1_000;

/// A folder of the file system; it is created where it is missing.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: Mutex<Option<fs::File>>,
}

impl Folder {
    /// The folder at `path`.
    ///
    /// # Errors
    /// It can neither be found nor created.
    pub fn new(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path)?;
        Ok(Self {
            path,
            lock: Mutex::default(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Storage for Folder {
    fn lock(&self) -> io::Result<()> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.path.join(LOCK))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(())
    }

    fn unlock(&self) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        *lock = None;
    }

    fn note(&self) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(LOCK))
    }

    fn set_note(&self, note: &[u8]) -> io::Result<()> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = &*lock else {
            return Err(io::ErrorKind::PermissionDenied.into());
        };
        file.set_len(0)?;
        write_all(file, &[IoSlice::new(note)], 0).map(drop)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(self.path.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.path)?;
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .filter(|name| !matches!(name, Ok(name) if name == LOCK))
            .collect()
    }

    fn sync(&self) -> io::Result<()> {
        fs::File::open(&self.path)?.sync_all()
    }

    fn free(&self) -> io::Result<u64> {
        let stat = statvfs(&self.path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

#[derive(Debug)]
struct RealFile(fs::File);

impl File for RealFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            let offset = at + read as u64;
            match std::os::unix::fs::FileExt::read_at(&self.0, &mut buffer[read..], offset) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn append_from(&self, buffer: &mut Vec<u8>, len: usize, at: u64) -> io::Result<()> {
        let before = buffer.len();
        let end = before + len;
        buffer.reserve(len);
        while buffer.len() < end {
            let offset = at + (buffer.len() - before) as u64;
            // This reads as much as the buffer has room for, without writing zeros there first.
            match pread(&self.0, spare_capacity(buffer), offset) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        buffer.truncate(end);
        Ok(())
    }

    fn will_read(&self) {
        // An operating system that does not take advice reads when it is asked. To ask for single parts is worse than to say nothing:
        // Linux then makes ready one page at a time instead of many.
        let _unheard = fadvise(&self.0, 0, None, Advice::Sequential);
    }

    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<()> {
        let mut offset = at;
        for some in parts.chunks(PARTS) {
            offset += write_all(&self.0, some, offset)?;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(retry_on_intr(|| fdatasync(&self.0))?)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}

/// Writes all parts, also where the operating system takes them in pieces; returns how many bytes.
fn write_all(file: &fs::File, parts: &[IoSlice<'_>], at: u64) -> io::Result<u64> {
    let total: usize = parts.iter().map(|part| part.len()).sum();
    let mut written = 0;
    while written < total {
        let (first, skip) = place(parts, written);
        let offset = at + written as u64;
        let count = if skip == 0 {
            retry_on_intr(|| pwritev(file, &parts[first..], offset))?
        } else {
            let rest = &parts[first][skip..];
            retry_on_intr(|| rustix::io::pwrite(file, rest, offset))?
        };
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        written += count;
    }
    Ok(total as u64)
}

/// The part that holds byte `at` of all parts, and where in it.
fn place(parts: &[IoSlice<'_>], mut at: usize) -> (usize, usize) {
    for (index, part) in parts.iter().enumerate() {
        if at < part.len() {
            return (index, at);
        }
        at -= part.len();
    }
    (parts.len(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Folder::new(folder.path()).unwrap();
        let file = storage.create("a").unwrap();
        let parts: Vec<Vec<u8>> = (0..2_500_u32).map(|n| n.to_le_bytes().to_vec()).collect();
        let slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
        file.write_at(&slices, 3).unwrap();
        file.sync().unwrap();
        let mut all = vec![0; 20_000];
        assert_eq!(file.read_at(&mut all, 3).unwrap(), 10_000);
        assert_eq!(all[..10_000], parts.concat());
        let mut some = vec![9];
        file.append_from(&mut some, 8, 9_999).unwrap();
        assert_eq!(some, [9, 0xc3, 9, 0, 0], "to the end of the file");
        file.append_from(&mut some, 2, 7).unwrap();
        assert_eq!(some[5..], [1, 0]);
        assert_eq!(storage.list().unwrap(), ["a"]);
    }

    #[test]
    fn a_folder_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let first = Folder::new(folder.path()).unwrap();
        let second = Folder::new(folder.path()).unwrap();
        first.lock().unwrap();
        first.set_note(b"the first one, at length").unwrap();
        assert_eq!(second.lock().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(second.note().unwrap(), b"the first one, at length");
        assert!(second.set_note(b"me").is_err());
        first.unlock();
        second.lock().unwrap();
        second.set_note(b"the second").unwrap();
        assert_eq!(first.note().unwrap(), b"the second");
    }
}
