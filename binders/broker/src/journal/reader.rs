//! Reading the journal again, from a position to its end.

use std::{collections::BTreeMap, io, sync::Arc};

use super::{
    ahead::{Ahead, Course},
    frame::{ALIGN, HEADER, Header, body_crc},
    segment::{self, SEGMENT_HEADER, SegmentHeader},
    window::Window,
    writer::Tail,
};
use crate::storage::File;

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

    /// What is to be read from `lsn` on.
    fn course(&self, lsn: u64) -> Course {
        let (number, offset) = (lsn / self.size, lsn % self.size);
        let segments = self.segments.range(number..);
        Course {
            segments: segments
                .map(|(number, opened)| (*number, opened.file.clone()))
                .collect(),
            from: if self.segments.contains_key(&number) {
                offset
            } else {
                0
            },
        }
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
            window: Window::new(Ahead::begin(reader.course(lsn))),
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
        let file = self.segment.map(|segment| &*segment.file);
        self.window.enter(number, file)?;
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
            let offset = self.offset();
            self.torn = match self.segment {
                Some(segment) => self.window.is_written(&*segment.file, offset)?,
                None => false,
            };
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
        let (bad, begin) = (self.lsn, self.number() * self.reader.size);
        let mut at = self.offset() + ALIGN;
        while let Some(bytes) = self.window.bytes_from(&*segment.file, at, HEADER)? {
            for place in Header::candidates(bytes) {
                let lsn = begin + at + place as u64;
                let header = Header::decode(&bytes[place..], segment.header.epoch);
                if header.is_some_and(|header| header.lsn == lsn && header.synced > bad) {
                    return Ok(Some(lsn));
                }
            }
            at += Header::searched(bytes);
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
    let mut window = Window::default();
    window.enter(0, Some(file))?;
    let mut at = SEGMENT_HEADER;
    while let Some(bytes) = window.bytes_from(file, at, HEADER)? {
        let mut places = Header::candidates(bytes);
        if places.any(|place| Header::is_likely(&bytes[place..], start + at + place as u64)) {
            return Ok(true);
        }
        at += Header::searched(bytes);
    }
    Ok(false)
}
