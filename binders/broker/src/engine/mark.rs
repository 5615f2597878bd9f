//! The mark of an orderly stop: how far the journal was durable for sure.
//!
//! Of the last frame nobody can tell whether it was torn while it was written or has rotted since, unless something else says that it
//! was durable. The journal never ends before the mark, whatever comes after it.

use std::io::{self, IoSlice};

use mq_core::error::Result;

use crate::{
    error,
    format::{self, FORMAT, format_of},
    journal::frame::{u32_at, u64_at},
    storage::Storage,
};

/// The file.
const NAME: &str = "end.mark";
/// Until it is complete; removed by the next start.
const DRAFT: &str = "end.draft";
const KIND: &[u8; 7] = b"MQEND\0\0";
/// Magic number, position, checksum.
const LEN: usize = 20;

/// Everything before `lsn` is durable.
pub(super) fn write(storage: &dyn Storage, lsn: u64) -> io::Result<()> {
    let mut bytes = [0; LEN];
    bytes[0..8].copy_from_slice(&format::magic(KIND));
    bytes[8..16].copy_from_slice(&lsn.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..16]);
    bytes[16..].copy_from_slice(&crc.to_le_bytes());
    let file = storage.create(DRAFT)?;
    file.write_at(&[IoSlice::new(&bytes)], 0)?;
    file.sync()?;
    storage.rename(DRAFT, NAME)?;
    storage.sync()
}

/// Where the last orderly stop was; `None` where there was none, or its mark cannot be read.
///
/// # Errors
/// The mark is of a later version.
pub(super) fn read(storage: &dyn Storage) -> Result<Option<u64>> {
    let fail = |error| error::io("reading the folder", error);
    if !storage
        .list()
        .map_err(fail)?
        .iter()
        .any(|name| name == NAME)
    {
        return Ok(None);
    }
    let file = storage.open(NAME).map_err(fail)?;
    let mut bytes = [0; LEN];
    let len = file.read_at(&mut bytes, 0).map_err(fail)?;
    let is_sound = len == LEN && u32_at(&bytes, 16) == crc32c::crc32c(&bytes[..16]);
    match format_of(&bytes, KIND).filter(|_| is_sound) {
        Some(format) if format > FORMAT => Err(error::newer(NAME, u32::from(format))),
        Some(_) => Ok(Some(u64_at(&bytes, 8))),
        None => {
            tracing::warn!(
                file = NAME,
                "the mark of the last orderly stop is damaged; it is left out"
            );
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sim::Disk;

    #[test]
    fn a_mark_comes_back_and_a_changed_one_counts_as_none() {
        let disk = Disk::new();
        assert_eq!(read(&disk).unwrap(), None);
        write(&disk, 4_711).unwrap();
        assert_eq!(read(&disk).unwrap(), Some(4_711));
        let sound = disk.bytes(NAME);
        for bit in 0..LEN * 8 {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            disk.put(NAME, bytes);
            assert_eq!(read(&disk).unwrap(), None, "bit {bit}");
        }
        let mut later = sound;
        later[7] = FORMAT + 1;
        let crc = crc32c::crc32c(&later[..16]);
        later[16..].copy_from_slice(&crc.to_le_bytes());
        disk.put(NAME, later);
        let said = format!("format {}", FORMAT + 1);
        assert!(read(&disk).unwrap_err().message().contains(&said));
    }
}
