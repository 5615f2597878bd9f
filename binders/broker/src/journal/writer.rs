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
        file.write_at(&[IoSlice::new(frame)], lsn % self.segments.size())?;
        self.tail.lsn = header.end();
        self.tail.crc = header.crc;
        Ok(lsn)
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
        Ok(file)
    }
}
