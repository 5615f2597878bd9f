//! The state as bytes: what recovery begins with instead of the whole journal.
//!
//! Two states that have applied the same frames give the same bytes.

mod destination;
mod lane;
mod log;

use super::State;
use crate::{
    format::{self, FORMAT, format_of},
    record::{Change, Fields, Malformed, PREFIX},
};

/// Seven bytes, and the format.
const KIND: &[u8; 7] = b"MQSNAP\0";

/// The bytes are not a snapshot that this version can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// They are not what was written.
    Damaged(&'static str),
    /// They are of this later format.
    Newer(u8),
}

impl From<Malformed> for Invalid {
    fn from(malformed: Malformed) -> Self {
        Self::Damaged(malformed.0)
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn len(&mut self, len: usize) {
        self.u64(len as u64);
    }
}

impl State {
    /// Everything that survives a restart.
    pub(crate) fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(4_096));
        out.0.extend_from_slice(&format::magic(KIND));
        out.u64(self.lsn);
        out.u32(self.crc);
        out.u64(self.time);
        out.u64(self.ahead.cast_unsigned());
        out.u32(self.next_destination);
        out.u32(self.boots);
        out.len(self.publishers.all.len());
        for (id, publisher) in &self.publishers.all {
            let (id, name) = (*id, publisher.name.to_string());
            Change::Producer { id, name }.encode(&mut out.0);
            out.u64(publisher.last);
            out.u32(publisher.epoch);
        }
        out.len(self.destinations.len());
        for destination in self.destinations.values() {
            destination.write(self.time, &mut out);
        }
        let crc = crc32c::crc32c(&out.0);
        out.u32(crc);
        out.0
    }

    /// The state that a snapshot holds.
    pub(crate) fn restore(bytes: &[u8], segment: u64) -> Result<Self, Invalid> {
        let Some((bytes, crc)) = bytes.split_last_chunk::<4>() else {
            return Err(Invalid::Damaged("it is too short"));
        };
        if crc32c::crc32c(bytes) != u32::from_le_bytes(*crc) {
            return Err(Invalid::Damaged("its checksum is wrong"));
        }
        let Some(format) = format_of(bytes, KIND) else {
            return Err(Invalid::Damaged("it is none"));
        };
        if format > FORMAT {
            return Err(Invalid::Newer(format));
        }
        let mut input = Fields(&bytes[KIND.len() + 1..]);
        let mut state = Self::new(segment);
        state.lsn = input.u64()?;
        state.crc = input.u32()?;
        state.time = input.u64()?;
        if format > 1 {
            state.ahead = input.u64()?.cast_signed();
        }
        let next = input.u32()?;
        if format > 1 {
            state.boots = input.u32()?;
        }
        for _ in 0..input.u64()? {
            let Change::Producer { id, name } = change(&mut input)? else {
                return Err(Malformed("a publisher is missing").into());
            };
            state.publishers.add(id, &name);
            state.publishers.admit(id, 0, input.u64()?);
            if format > 2 {
                state.publishers.fence(id, input.u32()?);
            }
        }
        for _ in 0..input.u64()? {
            state.read_destination(format, &mut input)?;
        }
        state.next_destination = next;
        Ok(state)
    }

    fn read_destination(&mut self, format: u8, input: &mut Fields<'_>) -> Result<(), Malformed> {
        let Change::Destination { id, name, options } = change(input)? else {
            return Err(Malformed("a destination is missing"));
        };
        self.create(id, &name, options);
        let destination = self.destinations.get_mut(&id);
        let destination = destination.ok_or(Malformed("two destinations have one name"))?;
        let live = &mut self.live;
        destination.read(format, input, |entry, count| live.add_run(entry, count))?;
        if destination.is_in_memory() {
            destination.begin_at(self.boots);
        }
        let stored = destination.stored;
        destination.route.add(stored.messages, stored.bytes);
        Ok(())
    }
}

/// A change among other fields.
fn change(input: &mut Fields<'_>) -> Result<Change, Malformed> {
    let len = Fields(input.0).u32()? as usize;
    Change::decode(input.bytes(len.max(PREFIX))?)
}
