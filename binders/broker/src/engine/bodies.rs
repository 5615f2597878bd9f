//! The records of messages: the newest in memory, the others in the journal's files.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use mq_core::error::{Error, Result};

use crate::{error, journal::Segments, record::is_intact, state::Pick};

/// Bytes that are read from a file at a time.
const CHUNK: usize = 256 << 10;

/// Where records are read from.
#[derive(Debug)]
pub(crate) struct Bodies {
    segments: Arc<Segments>,
    tail: Mutex<Tail>,
    /// Bytes of frames that are kept in memory.
    budget: usize,
    /// Records that are nowhere else.
    fleeting: Mutex<HashMap<u64, Bytes>>,
}

/// The newest frames, in order.
#[derive(Debug, Default)]
struct Tail {
    frames: VecDeque<Kept>,
    bytes: usize,
}

/// A frame in memory.
#[derive(Debug)]
struct Kept {
    lsn: u64,
    frame: Bytes,
    /// Bytes of its buffer.
    room: usize,
}

/// What was read from a file.
#[derive(Clone, Debug)]
struct Chunk {
    start: u64,
    bytes: Bytes,
}

impl Bodies {
    /// Over these segments, with so many bytes in memory.
    pub(crate) fn new(segments: Arc<Segments>, budget: usize) -> Self {
        Self {
            segments,
            tail: Mutex::default(),
            budget,
            fleeting: Mutex::default(),
        }
    }

    /// Keeps a record that is in no file, until it is [dropped](Self::drop_fleeting).
    pub(crate) fn keep_fleeting(&self, place: u64, record: Bytes) {
        self.lock_fleeting().insert(place, record);
    }

    /// Lets go of records that are in no file.
    pub(crate) fn drop_fleeting(&self, places: &[u64]) {
        let mut fleeting = self.lock_fleeting();
        for place in places {
            fleeting.remove(place);
        }
    }

    /// The record of a message that is in no file, if it is still kept.
    pub(crate) fn fleeting(&self, pick: &Pick) -> Option<Bytes> {
        self.lock_fleeting().get(&pick.lsn).cloned()
    }

    fn lock_fleeting(&self) -> MutexGuard<'_, HashMap<u64, Bytes>> {
        self.fleeting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the newest frame, whose buffer has so many bytes; returns a buffer that nobody needs any more, if there is one.
    pub(crate) fn add(&self, lsn: u64, frame: Bytes, room: usize) -> Option<Vec<u8>> {
        let mut tail = self.lock();
        tail.bytes += room;
        tail.frames.push_back(Kept { lsn, frame, room });
        let mut freed = None;
        while tail.bytes > self.budget {
            let Some(oldest) = tail.frames.pop_front() else {
                break;
            };
            tail.bytes -= oldest.room;
            freed = freed.or_else(|| oldest.frame.try_into_mut().ok().map(Vec::from));
        }
        freed
    }

    /// The records of `picks`, in order, as far as they are in memory.
    ///
    /// Returns how many that are; the others have to be [read](Self::read).
    pub(crate) fn recall(&self, picks: &[Pick], mut each: impl FnMut(&Pick, Bytes)) -> usize {
        let tail = self.lock();
        let mut hint: Option<&Kept> = None;
        for (index, pick) in picks.iter().enumerate() {
            let frame = match hint {
                Some(frame) if contains(frame, pick) => frame,
                _ => match tail.find(pick) {
                    Some(frame) => frame,
                    None => return index,
                },
            };
            hint = Some(frame);
            let from = usize::try_from(pick.lsn - frame.lsn).unwrap_or(usize::MAX);
            each(pick, frame.frame.slice(from..from + pick.len as usize));
        }
        picks.len()
    }

    /// The records of the first of `picks`, in order, from one part of a file; blocks on the disk.
    ///
    /// Returns at least one.
    ///
    /// # Errors
    /// A record is not what was written.
    pub(crate) fn read(&self, picks: &[Pick]) -> Result<Vec<Bytes>> {
        let mut records = Vec::new();
        let mut chunk: Option<Chunk> = None;
        for pick in picks {
            let held = chunk.as_ref().and_then(|chunk| chunk.record(pick));
            let record = match held {
                Some(record) => record,
                None if records.is_empty() => {
                    let read = self.chunk(pick)?;
                    let record = read.record(pick);
                    chunk = Some(read);
                    record.ok_or_else(|| error::unreadable(pick.lsn))?
                }
                None => break,
            };
            if !is_intact(&record) {
                if records.is_empty() {
                    return Err(error::unreadable(pick.lsn));
                }
                break;
            }
            records.push(record);
        }
        Ok(records)
    }

    fn chunk(&self, pick: &Pick) -> Result<Chunk, Error> {
        let room = self.segments.size() - pick.lsn % self.segments.size();
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let mut bytes = vec![0; CHUNK.min(room).max(pick.len as usize)];
        let read = self.segments.read_at(pick.lsn, &mut bytes);
        let read = read.map_err(|error| error::unreadable(pick.lsn).source(error))?;
        bytes.truncate(read);
        Ok(Chunk {
            start: pick.lsn,
            bytes: bytes.into(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tail {
    fn find(&self, pick: &Pick) -> Option<&Kept> {
        let index = self.frames.partition_point(|kept| kept.lsn <= pick.lsn);
        let frame = self.frames.get(index.checked_sub(1)?)?;
        contains(frame, pick).then_some(frame)
    }
}

fn contains(kept: &Kept, pick: &Pick) -> bool {
    pick.lsn >= kept.lsn && pick.lsn + u64::from(pick.len) <= kept.lsn + kept.frame.len() as u64
}

impl Chunk {
    fn record(&self, pick: &Pick) -> Option<Bytes> {
        let from = usize::try_from(pick.lsn.checked_sub(self.start)?).ok()?;
        let to = from.checked_add(pick.len as usize)?;
        (to <= self.bytes.len()).then(|| self.bytes.slice(from..to))
    }
}
