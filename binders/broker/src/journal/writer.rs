//! The writing end of the journal.

use std::{
    io::{self, IoSlice},
    sync::Arc,
};

use super::{
    frame::{ALIGN, HEADER, Header, body_crc},
    pool::Pool,
    segment::{self, SEGMENT_HEADER, SegmentHeader},
    segments::Segments,
};
use crate::storage::{File, Storage};

/// Bytes of zeros that are written behind a small frame, with it: a sync of a file whose blocks exist takes half as long as one of a growing
/// file, and a page that is written as a whole need not be read before.
const AHEAD: u64 = 256 << 10;
/// Larger frames are not small: their syncs take as long as their writing.
const SMALL: u64 = AHEAD / 32;
/// Bytes that the operating system keeps as one in memory, or more.
const PAGE: u64 = 4 << 10;

/// Where the next frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    /// The position of the next frame.
    pub(crate) lsn: u64,
    /// The checksum of the last one.
    pub(crate) crc: u32,
    /// The epoch of the segment that `lsn` is in.
    pub(crate) epoch: u64,
}

/// When a frame is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    /// In nanoseconds since the Unix epoch, by the broker's own time.
    pub(crate) time: u64,
    /// How much that is ahead of the time of day, in nanoseconds.
    pub(crate) ahead: i64,
}

/// Appends frames, one at a time.
#[derive(Debug)]
pub(crate) struct Writer {
    storage: Arc<dyn Storage>,
    segments: Arc<Segments>,
    pool: Arc<Pool>,
    /// The segment that is written to; none before the first frame of a fresh folder.
    file: Option<Arc<dyn File>>,
    tail: Tail,
    /// Everything before this is durable.
    synced: u64,
    /// Everything of the segment before this was written by this writer.
    ahead: u64,
}

impl Writer {
    /// Goes on at `tail`, in the segment that it lies in if that is open already.
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        segments: Arc<Segments>,
        pool: Arc<Pool>,
        tail: Tail,
    ) -> Self {
        let file = segments.file(tail.lsn);
        Self {
            storage,
            segments,
            pool,
            file,
            tail,
            synced: tail.lsn,
            ahead: tail.lsn,
        }
    }

    /// Where the next frame goes.
    pub(crate) fn tail(&self) -> Tail {
        self.tail
    }

    /// Whether everything that was appended is durable.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced == self.tail.lsn
    }

    /// Writes a frame whose first [`HEADER`] bytes are left free; returns its position.
    ///
    /// After an error nothing of the frame counts; the next one takes its place.
    pub(crate) fn append(
        &mut self,
        frame: &mut [u8],
        records: u32,
        stamp: Stamp,
    ) -> io::Result<u64> {
        let (file, lsn) = self.place(frame.len() as u64)?;
        let (head, body) = frame.split_at_mut(HEADER);
        let header = Header {
            lsn,
            previous: self.tail.crc,
            crc: body_crc(self.tail.crc, stamp.time, body),
            len: u32::try_from(body.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
            records,
            time: stamp.time,
            synced: self.synced,
            ahead: stamp.ahead,
        };
        head.copy_from_slice(&header.encode(self.tail.epoch));
        self.write(&*file, frame, lsn)?;
        self.tail.lsn = header.end();
        self.tail.crc = header.crc;
        Ok(lsn)
    }

    /// Writes a frame; where a small one is the first beyond what was written, with zeros behind it.
    fn write(&mut self, file: &dyn File, frame: &[u8], lsn: u64) -> io::Result<()> {
        let at = lsn % self.segments.size();
        let zeros = self.zeros_behind(at, frame.len() as u64, lsn);
        let end = lsn + frame.len() as u64;
        if !zeros.is_empty() {
            match file.write_at(&[IoSlice::new(frame), IoSlice::new(&zeros)], at) {
                // There may be room for the frame alone.
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {}
                written => {
                    self.ahead = end + zeros.len() as u64;
                    return written;
                }
            }
        }
        self.ahead = self.ahead.max(end);
        file.write_at(&[IoSlice::new(frame)], at)
    }

    /// Zeros to the end of a page, and of the segment at most.
    fn zeros_behind(&self, at: u64, len: u64, lsn: u64) -> Vec<u8> {
        if lsn + len <= self.ahead || len > SMALL {
            return Vec::new();
        }
        let end = (at + len + AHEAD) / PAGE * PAGE;
        let zeros = end.min(self.segments.size()).saturating_sub(at + len);
        vec![0; usize::try_from(zeros).unwrap_or(0)]
    }

    /// Makes everything durable that was appended.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.sync()?;
        }
        self.synced = self.tail.lsn;
        Ok(())
    }

    /// The file and place of a frame of this length, in a new segment if need be.
    fn place(&mut self, len: u64) -> io::Result<(Arc<dyn File>, u64)> {
        let size = self.segments.size();
        let used = self.tail.lsn % size;
        if let Some(file) = self.file.clone()
            && used >= SEGMENT_HEADER
            && used + len <= size
        {
            return Ok((file, self.tail.lsn));
        }
        let file = self.roll()?;
        Ok((file, self.tail.lsn))
    }

    /// Begins the next segment.
    #[cold]
    fn roll(&mut self) -> io::Result<Arc<dyn File>> {
        // What the segment before it holds must not be less durable than what follows.
        if !self.is_synced() {
            self.sync()?;
        }
        let size = self.segments.size();
        let number = if self.file.is_some() {
            self.tail.lsn.saturating_sub(1) / size + 1
        } else {
            self.tail.lsn.div_ceil(size)
        };
        let header = SegmentHeader {
            number,
            size,
            epoch: self.pool.epoch(),
            previous: self.tail.crc,
        };
        let name = segment::name(number, size);
        let file = self.pool.take(&name)?;
        header.write(&*file)?;
        file.sync()?;
        self.storage.sync()?;
        self.segments.add(number, file.clone());
        self.file = Some(file.clone());
        self.tail.lsn = (number * size + SEGMENT_HEADER).next_multiple_of(ALIGN);
        self.tail.epoch = header.epoch;
        self.synced = self.tail.lsn;
        self.ahead = self.tail.lsn;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sim::{Disk, Fault};

    const SEGMENT: u64 = 1 << 20;

    fn writer(disk: &Disk) -> Writer {
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        let pool = Pool::new(storage.clone(), SEGMENT, 0, Vec::new(), 1);
        let tail = Tail {
            lsn: 0,
            crc: 0,
            epoch: 0,
        };
        let segments = Arc::new(Segments::new(SEGMENT));
        Writer::new(storage, segments, Arc::new(pool), tail)
    }

    fn len(disk: &Disk) -> u64 {
        disk.bytes(&segment::name(0, SEGMENT)).len() as u64
    }

    fn append(writer: &mut Writer, len: usize) {
        let mut frame = vec![7; HEADER + len];
        let stamp = Stamp {
            time: writer.tail().lsn + 1,
            ahead: 0,
        };
        writer.append(&mut frame, 1, stamp).unwrap();
    }

    #[test]
    fn small_frames_seldom_make_the_file_longer() {
        let disk = Disk::new();
        let mut writer = writer(&disk);
        let mut lengths = std::collections::BTreeSet::new();
        for _ in 0..2_000 {
            append(&mut writer, 300);
            let length = len(&disk);
            assert!(length >= writer.tail().lsn && length.is_multiple_of(PAGE));
            lengths.insert(length);
        }
        assert_eq!(lengths.len(), 3, "{lengths:?}");
        append(&mut writer, 200_000);
        let end = writer.tail().lsn;
        assert_eq!(
            len(&disk).next_multiple_of(ALIGN),
            end,
            "a large one has no zeros behind it"
        );
        while writer.tail().lsn < SEGMENT - 300 {
            append(&mut writer, 150);
        }
        assert_eq!(len(&disk), SEGMENT, "a segment has its size and no more");
    }

    #[test]
    fn a_small_frame_needs_no_room_for_the_zeros() {
        let disk = Disk::new();
        let mut writer = writer(&disk);
        append(&mut writer, 20_000);
        let at = usize::try_from(writer.tail().lsn).unwrap();
        disk.fault(Fault::FullAtWrite(0));
        append(&mut writer, 300);
        assert_eq!(disk.faults(), []);
        let bytes = disk.bytes(&segment::name(0, SEGMENT));
        let header = Header::decode(&bytes[at..], writer.tail().epoch).unwrap();
        assert_eq!(header.end(), writer.tail().lsn);
    }
}
