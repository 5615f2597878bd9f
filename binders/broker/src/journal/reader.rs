//! Reading the journal again, from a position to its end.

use std::{collections::BTreeMap, io, sync::Arc};

use super::{
    frame::{ALIGN, HEADER, Header, body_crc},
    segment::{self, SEGMENT_HEADER, SegmentHeader},
    writer::Tail,
};
use crate::storage::File;

/// Bytes that are read at a time.
const WINDOW: usize = 1 << 20;

/// A part of the journal that cannot be read although it was durable once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// The file.
    pub(crate) file: String,
    /// Where in the file the damage begins.
    pub(crate) offset: u64,
}

/// What reading found.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// Where the next frame goes.
    pub(crate) tail: Tail,
    /// Where the last frame ends.
    pub(crate) end: u64,
    /// Bytes at the end that were never durable, and are left out: a frame that was being written.
    pub(crate) torn: bool,
    /// Damage, in order.
    pub(crate) damage: Vec<Damage>,
}

/// A segment with its header.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) header: SegmentHeader,
    pub(crate) file: Arc<dyn File>,
}

/// Reads frames one after the other.
#[derive(Debug)]
pub(crate) struct Reader {
    size: u64,
    segments: BTreeMap<u64, Opened>,
}

impl Reader {
    /// A reader of these segments.
    pub(crate) fn new(size: u64) -> Self {
        Self {
            size,
            segments: BTreeMap::new(),
        }
    }

    /// Adds a segment.
    pub(crate) fn add(&mut self, header: SegmentHeader, file: Arc<dyn File>) {
        self.segments.insert(header.number, Opened { header, file });
    }

    /// The number of the first segment.
    pub(crate) fn first(&self) -> Option<u64> {
        self.segments.keys().next().copied()
    }

    /// Calls `each` for every frame from `lsn` on, which follows a frame with the checksum `crc`, and says whether damage lies before it.
    ///
    /// Reading goes on behind damage, so that all of it is reported.
    pub(crate) fn scan<E: From<io::Error>>(
        &self,
        lsn: u64,
        crc: u32,
        mut each: impl FnMut(&Header, &[u8], bool) -> Result<(), E>,
    ) -> Result<Scanned, E> {
        let mut scan = Scan::new(self, lsn, crc)?;
        loop {
            while let Some(header) = scan.frame()? {
                let is_behind_damage = !scan.damage.is_empty();
                each(&header, scan.body(&header)?, is_behind_damage)?;
                scan.pass(&header);
            }
            if scan.next_segment()? {
                continue;
            }
            if !scan.skip_damage()? {
                return Ok(scan.finish());
            }
        }
    }
}

/// One reading.
struct Scan<'a> {
    reader: &'a Reader,
    segment: Option<&'a Opened>,
    window: Window,
    lsn: u64,
    crc: u32,
    torn: bool,
    damage: Vec<Damage>,
}

impl<'a> Scan<'a> {
    fn new(reader: &'a Reader, lsn: u64, crc: u32) -> io::Result<Self> {
        let mut scan = Self {
            reader,
            segment: None,
            window: Window::default(),
            lsn,
            crc,
            torn: false,
            damage: Vec::new(),
        };
        if !lsn.is_multiple_of(reader.size) {
            scan.enter(lsn / reader.size, lsn % reader.size)?;
        }
        Ok(scan)
    }

    fn enter(&mut self, number: u64, offset: u64) -> io::Result<()> {
        self.segment = self.reader.segments.get(&number);
        self.window = Window::default();
        if let Some(segment) = self.segment {
            self.window.len = segment.file.size()?;
        }
        self.lsn = number * self.reader.size + offset.max(SEGMENT_HEADER);
        Ok(())
    }

    /// The header of the frame at the current position, if frame and chain are sound.
    fn frame(&mut self) -> io::Result<Option<Header>> {
        let Some(segment) = self.segment else {
            return Ok(None);
        };
        let Some(header) = self.header_at(segment, self.lsn)? else {
            return Ok(None);
        };
        if header.previous != self.crc
            || header.end().div_ceil(self.reader.size) > self.number() + 1
        {
            return Ok(None);
        }
        let at = self.offset() + HEADER as u64;
        let body = self.window.bytes(&*segment.file, at, header.len as usize)?;
        let sound =
            body.is_some_and(|body| body_crc(header.previous, header.time, body) == header.crc);
        Ok(sound.then_some(header))
    }

    fn body(&mut self, header: &Header) -> io::Result<&[u8]> {
        let at = self.offset() + HEADER as u64;
        let body = match self.segment {
            Some(segment) => self.window.bytes(&*segment.file, at, header.len as usize)?,
            None => None,
        };
        body.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn pass(&mut self, header: &Header) {
        self.lsn = header.end();
        self.crc = header.crc;
    }

    fn header_at(&mut self, segment: &Opened, lsn: u64) -> io::Result<Option<Header>> {
        let offset = lsn % self.reader.size;
        let bytes = self.window.bytes(&*segment.file, offset, HEADER)?;
        let header = bytes.and_then(|bytes| Header::decode(bytes, segment.header.epoch));
        Ok(header.filter(|header| header.lsn == lsn))
    }

    /// Goes on in the next segment, if it follows on what was read.
    fn next_segment(&mut self) -> io::Result<bool> {
        let next = match self.segment {
            Some(_) => self.number() + 1,
            None => self.lsn.div_ceil(self.reader.size),
        };
        let follows = self.reader.segments.get(&next);
        let follows = follows.is_some_and(|next| next.header.previous == self.crc);
        if follows {
            self.enter(next, SEGMENT_HEADER)?;
        }
        Ok(follows)
    }

    /// Looks for sound frames behind something that is not one; returns whether reading goes on there.
    ///
    /// What was being written when the broker ended is not damage: nothing durable follows it.
    fn skip_damage(&mut self) -> io::Result<bool> {
        let resumes = self.find_durable()?;
        let later = self.reader.segments.range(self.number() + 1..).next();
        let resumes =
            resumes.or_else(|| later.map(|(number, _)| number * self.reader.size + SEGMENT_HEADER));
        let Some(resumes) = resumes else {
            self.torn = self.window.is_written(self.segment, self.offset())?;
            return Ok(false);
        };
        self.damage.push(self.damage(resumes));
        if resumes / self.reader.size != self.number() {
            self.enter(resumes / self.reader.size, SEGMENT_HEADER)?;
            self.crc = self.segment.map_or(0, |segment| segment.header.previous);
        } else {
            self.lsn = resumes;
            let segment = self.segment;
            if let Some(header) = segment.map(|segment| self.header_at(segment, resumes)) {
                self.crc = header?.map_or(0, |header| header.previous);
            }
        }
        Ok(true)
    }

    fn damage(&self, resumes: u64) -> Damage {
        let resumed = resumes / self.reader.size;
        let missing = self.segment.is_none() || resumed > self.number() + 1;
        let (number, offset) = match missing {
            true if self.segment.is_none() => (self.lsn / self.reader.size, 0),
            true => (self.number() + 1, 0),
            false => (self.number(), self.offset()),
        };
        Damage {
            file: segment::name(number, self.reader.size),
            offset,
        }
    }

    /// The first frame behind the current position that was written when this position was durable already.
    fn find_durable(&mut self) -> io::Result<Option<u64>> {
        let Some(segment) = self.segment else {
            return Ok(None);
        };
        let bad = self.lsn;
        let mut lsn = bad + ALIGN;
        let end = (self.number() + 1) * self.reader.size;
        while lsn < end && lsn % self.reader.size < self.window.len {
            if let Some(header) = self.header_at(segment, lsn)?
                && header.synced > bad
            {
                return Ok(Some(lsn));
            }
            lsn += ALIGN;
        }
        Ok(None)
    }

    fn number(&self) -> u64 {
        self.segment
            .map_or(self.lsn / self.reader.size, |segment| segment.header.number)
    }

    fn offset(&self) -> u64 {
        self.lsn - self.number() * self.reader.size
    }

    fn finish(self) -> Scanned {
        Scanned {
            end: self.lsn,
            tail: Tail {
                lsn: self.lsn,
                crc: self.crc,
                epoch: self.segment.map_or(0, |segment| segment.header.epoch),
            },
            torn: self.torn,
            damage: self.damage,
        }
    }
}

/// Whether a file that would begin at `start` has frames of that place, although nobody knows its epoch.
pub(crate) fn holds_frames(file: &dyn File, start: u64) -> io::Result<bool> {
    let mut window = Window {
        len: file.size()?,
        ..Window::default()
    };
    let mut at = SEGMENT_HEADER;
    while let Some(bytes) = window.bytes(file, at, HEADER)? {
        if Header::is_likely(bytes, start + at) {
            return Ok(true);
        }
        at += ALIGN;
    }
    Ok(false)
}

/// The part of a file that is in memory.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    start: u64,
    /// Bytes of the file.
    len: u64,
}

impl Window {
    /// These bytes of the file; `None` beyond its end.
    fn bytes(&mut self, file: &dyn File, at: u64, len: usize) -> io::Result<Option<&[u8]>> {
        let end = at + len as u64;
        if end > self.len {
            return Ok(None);
        }
        if at < self.start || end > self.start + self.bytes.len() as u64 {
            let rest = usize::try_from(self.len - at).unwrap_or(usize::MAX);
            self.bytes = vec![0; len.max(WINDOW.min(rest))];
            let read = file.read_at(&mut self.bytes, at)?;
            self.bytes.truncate(read);
            self.start = at;
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        Ok(self.bytes.get(from..from + len))
    }

    /// Whether anything but zeros was written at this place.
    fn is_written(&mut self, segment: Option<&Opened>, at: u64) -> io::Result<bool> {
        let Some(segment) = segment else {
            return Ok(false);
        };
        let len = usize::try_from(self.len.saturating_sub(at)).unwrap_or(0);
        let bytes = self.bytes(&*segment.file, at, len.min(HEADER))?;
        Ok(bytes.is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0)))
    }
}
