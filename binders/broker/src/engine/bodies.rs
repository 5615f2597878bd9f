//! The records of messages: the newest in memory, the others in the journal's files.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use mq_core::error::Result;

use super::chunk::Chunk;
use crate::{error, journal::Segments, state::Pick};

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
    /// Returns how many that are; the others have to be [read](Self::chunk).
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

    /// Reads one record from its file; blocks on the disk.
    ///
    /// # Errors
    /// The record is not what was written.
    pub(crate) fn read(&self, pick: &Pick) -> Result<Bytes> {
        let chunk = self.chunk(pick, u64::from(pick.len), Vec::new())?;
        chunk
            .record(pick)
            .ok_or_else(|| error::unreadable(pick.lsn))
    }

    /// Reads the part of a file that begins with this record, in the buffer of another one if it can; blocks on the disk.
    ///
    /// # Errors
    /// The record is not what was written.
    pub(super) fn chunk(&self, pick: &Pick, len: u64, buffer: Vec<u8>) -> Result<Chunk> {
        let room = self.segments.size() - pick.lsn % self.segments.size();
        let len = usize::try_from(len.min(room)).unwrap_or(usize::MAX);
        let mut buffer = if buffer.capacity() == len {
            buffer
        } else {
            Vec::with_capacity(len)
        };
        let read = self.segments.append_from(&mut buffer, len, pick.lsn);
        read.map_err(|error| error::unreadable(pick.lsn).source(error))?;
        let chunk = Chunk::new(pick.lsn, buffer.into());
        match chunk.record(pick) {
            Some(_) => Ok(chunk),
            None => Err(error::unreadable(pick.lsn)),
        }
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
