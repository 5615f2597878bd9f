//! Segments: the files that the journal is cut into.
//!
//! A position in the journal (*LSN*, log sequence number) is the segment's number times the size of segments, plus the place in the file.

use std::io::{self, IoSlice};

use super::frame::{u32_at, u64_at};
use crate::{
    format::{self, FORMAT, format_of},
    storage::File,
};

/// Bytes before the first frame of a segment.
pub(crate) const SEGMENT_HEADER: u64 = 64;

/// Seven bytes, and the format.
const KIND: &[u8; 7] = b"MQSEG\0\0";

/// What the first bytes of a segment say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// Its number.
    pub(crate) number: u64,
    /// Bytes of every segment of this folder.
    pub(crate) size: u64,
    /// Different for each life of a file.
    pub(crate) epoch: u64,
    /// The checksum of the last frame of the segment before it.
    pub(crate) previous: u32,
}

impl SegmentHeader {
    fn encode(&self) -> [u8; SEGMENT_HEADER as usize] {
        let mut bytes = [0; SEGMENT_HEADER as usize];
        bytes[0..8].copy_from_slice(&format::magic(KIND));
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.size.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.previous.to_le_bytes());
        let crc = checksum(&bytes, FORMAT);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Where the next segment begins; `None` is beyond every number.
    fn end(&self) -> Option<u64> {
        self.number.checked_add(1)?.checked_mul(self.size)
    }

    /// Writes it to the beginning of a file.
    pub(crate) fn write(&self, file: &dyn File) -> io::Result<()> {
        file.write_at(&[IoSlice::new(&self.encode())], 0)
    }

    /// Reads it from the beginning of a file; `None` if there is none.
    pub(crate) fn read(file: &dyn File) -> io::Result<Option<Found>> {
        let mut bytes = [0; SEGMENT_HEADER as usize];
        let read = file.read_at(&mut bytes, 0)?;
        let Some(format) = format_of(&bytes[..read], KIND) else {
            return Ok(None);
        };
        if read < bytes.len() || u32_at(&bytes, 8) != checksum(&bytes, format) {
            return Ok(None);
        }
        if format > FORMAT {
            return Ok(Some(Found::Newer(format)));
        }
        let header = Self {
            number: u64_at(&bytes, 16),
            size: u64_at(&bytes, 24),
            epoch: u64_at(&bytes, 32),
            previous: u32_at(&bytes, 40),
        };
        let is_possible = header.size > SEGMENT_HEADER && header.end().is_some();
        Ok(is_possible.then_some(Found::Header(header, format)))
    }
}

/// What a file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A header, and the format of what follows.
    Header(SegmentHeader, u8),
    /// A header of this later format.
    Newer(u8),
}

impl Found {
    /// The header, if this version can read it.
    pub(crate) fn header(self) -> Option<SegmentHeader> {
        match self {
            Self::Header(header, _) => Some(header),
            Self::Newer(_) => None,
        }
    }
}

/// The checksum of a header; the first format left the magic number out.
fn checksum(bytes: &[u8], format: u8) -> u32 {
    match format {
        1 => crc32c::crc32c(&bytes[16..]),
        _ => crc32c::crc32c_append(crc32c::crc32c(&bytes[..8]), &bytes[12..]),
    }
}

/// The file of a segment.
pub(crate) fn name(number: u64, size: u64) -> String {
    format!("{:020}.journal", number * size)
}

/// The number of the segment in this file, if it is one.
pub(crate) fn number_of(name: &str, size: u64) -> Option<u64> {
    let first: u64 = name.strip_suffix(".journal")?.parse().ok()?;
    first.is_multiple_of(size).then_some(first / size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Folder, Storage};

    #[test]
    fn a_header_comes_back_and_names_sort_as_positions() {
        let folder = tempfile::tempdir().unwrap();
        let file = Folder::new(folder.path()).unwrap().create("a").unwrap();
        assert_eq!(SegmentHeader::read(&*file).unwrap(), None);
        let header = SegmentHeader {
            number: 3,
            size: 1 << 20,
            epoch: 77,
            previous: 5,
        };
        header.write(&*file).unwrap();
        let found = SegmentHeader::read(&*file).unwrap();
        assert_eq!(found, Some(Found::Header(header, FORMAT)));
        assert_eq!(name(3, 1 << 20), "00000000000003145728.journal");
        assert_eq!(number_of(&name(3, 1 << 20), 1 << 20), Some(3));
        assert_eq!(number_of("snapshot", 1 << 20), None);
    }

    #[test]
    fn a_later_format_is_told_from_a_changed_byte() {
        let folder = tempfile::tempdir().unwrap();
        let file = Folder::new(folder.path()).unwrap().create("a").unwrap();
        let header = SegmentHeader {
            number: 3,
            size: 1 << 20,
            epoch: 77,
            previous: 5,
        };
        let mut bytes = header.encode();
        bytes[7] = 9;
        file.write_at(&[IoSlice::new(&bytes)], 0).unwrap();
        assert_eq!(SegmentHeader::read(&*file).unwrap(), None);
        let crc = checksum(&bytes, 9);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        file.write_at(&[IoSlice::new(&bytes)], 0).unwrap();
        let found = SegmentHeader::read(&*file).unwrap();
        assert_eq!(found, Some(Found::Newer(9)));
        bytes[7] = 1;
        let crc = checksum(&bytes, 1);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        file.write_at(&[IoSlice::new(&bytes)], 0).unwrap();
        let found = SegmentHeader::read(&*file).unwrap();
        assert_eq!(found, Some(Found::Header(header, 1)));
    }
}
