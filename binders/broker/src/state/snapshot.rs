//! The state as bytes: what recovery begins with instead of the whole journal.
//!
//! Two states that have applied the same frames give the same bytes.

use std::cmp::Reverse;

use bytes::Bytes;

use super::{
    State,
    destination::{Destination, Group},
    lane::{Cursor, Lane, Note},
    log::{Entry, Log},
    packed,
};
use crate::{
    format::{self, FORMAT, format_of},
    options::GroupMode,
    record::{Change, Fields, Malformed, PREFIX, mode, mode_code},
};

/// Seven bytes, and the format.
const KIND: &[u8; 7] = b"MQSNAP\0";

/// No partition has so many messages.
const LAST: u64 = 1 << 60;

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
        destination.read(format, input)?;
        if destination.is_in_memory() {
            destination.begin_at(self.boots);
        }
        for log in &destination.logs {
            for (_, entry) in log.entries.iter() {
                self.live.add(entry);
                if !entry.is(Entry::DONE) {
                    destination.stored.add(entry.len);
                }
            }
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

impl Destination {
    fn write(&self, now: u64, out: &mut Writer) {
        let change = Change::Destination {
            id: self.route.id,
            name: self.route.name.to_string(),
            options: self.route.options.clone(),
        };
        change.encode(&mut out.0);
        // What is in memory is in no snapshot.
        let empty: Vec<Log> = match self.is_in_memory() {
            true => self.logs.iter().map(|_| Log::default()).collect(),
            false => Vec::new(),
        };
        let logs = if empty.is_empty() { &self.logs } else { &empty };
        logs.iter().for_each(|log| log.write(now, out));
        out.u32(self.next_group);
        out.len(self.groups.len());
        for (id, group) in &self.groups {
            let change = Change::Group {
                destination: self.route.id,
                id: *id,
                name: group.name.to_string(),
                from: Vec::new(),
            };
            change.encode(&mut out.0);
            out.u32(mode_code(group.mode));
            for (lane, log) in group.lanes.iter().zip(logs) {
                if empty.is_empty() {
                    lane.write(log, out);
                } else {
                    Lane::starting_at(0, group.mode).write(log, out);
                }
            }
        }
    }

    fn read(&mut self, format: u8, input: &mut Fields<'_>) -> Result<(), Malformed> {
        for log in &mut self.logs {
            log.read(format, input)?;
        }
        let next = input.u32()?;
        for _ in 0..input.u64()? {
            let Change::Group { id, name, .. } = change(input)? else {
                return Err(Malformed("a group is missing"));
            };
            let mode = match format {
                1 => GroupMode::default(),
                _ => mode(input.u32()?)?,
            };
            let lanes = self
                .logs
                .iter()
                .map(|log| Lane::read(format, mode, log, input));
            let group = Group {
                name: name.into(),
                lanes: lanes.collect::<Result<_, _>>()?,
                members: Vec::new(),
                mode,
            };
            self.groups.insert(id, group);
        }
        self.next_group = next;
        Ok(())
    }
}

impl Log {
    fn write(&self, now: u64, out: &mut Writer) {
        out.u64(self.end());
        out.u64(self.swept);
        packed::write_entries(&self.entries, Entry::SCHEDULED, &mut out.0);
        packed::write_times(&self.times, &mut out.0);
        let waiting = self.scheduled.iter().map(|Reverse(entry)| *entry);
        let mut scheduled: Vec<_> = waiting.chain(self.fired.iter().copied()).collect();
        scheduled.retain(|(due, position)| *due > now && self.get(*position).is_some());
        scheduled.sort_unstable();
        out.len(scheduled.len());
        for (due, position) in scheduled {
            out.u64(due);
            out.u64(position);
        }
        let ends = self.ends.iter();
        out.len(ends.len());
        for (position, end) in ends {
            out.u64(position);
            out.u64(end);
        }
    }

    fn read(&mut self, format: u8, input: &mut Fields<'_>) -> Result<(), Malformed> {
        let end = input.u64()?;
        self.swept = input.u64()?;
        if end > LAST {
            return Err(Malformed("there are more messages than can be"));
        }
        packed::read_entries(input, end, |position, entry| self.restore(position, entry))?;
        self.entries.skip_to(end);
        self.times = packed::read_times(input)?;
        for _ in 0..input.u64()? {
            let (due, position) = (input.u64()?, input.u64()?);
            if let Some(entry) = self.entries.get_mut(position) {
                entry.marks |= Entry::SCHEDULED;
                self.scheduled.push(Reverse((due, position)));
            }
        }
        if format > 1 {
            for _ in 0..input.u64()? {
                let (position, end) = (input.u64()?, input.u64()?);
                let entry = self.entries.get(position);
                if entry.is_some_and(|entry| entry.is(Entry::ENDS)) {
                    self.ends.add(position, end);
                }
            }
        }
        Ok(())
    }
}

impl Lane {
    /// What is settled, as runs, and notes.
    ///
    /// Where the group has got to in handing out is left out: what is not settled is handed out again.
    fn write(&self, log: &Log, out: &mut Writer) {
        if let Some(cursor) = &self.cursor {
            return cursor.write(out);
        }
        let floor = self.settled_floor(log);
        out.u64(floor);
        let runs = self.settled_runs(floor, log);
        out.len(runs.len());
        for (from, to) in runs {
            out.u64(from);
            out.u64(to);
        }
        // A consumer may still have what is gone for everybody else.
        let notes = self.notes.iter();
        let mut notes: Vec<_> = notes.filter(|(at, _)| self.is_open(**at, log)).collect();
        notes.sort_unstable_by_key(|(position, _)| **position);
        out.len(notes.len());
        for (position, note) in notes {
            out.u64(*position);
            out.u32(note.attempts);
            out.u32(note.deliveries);
            out.u64(note.due);
            out.u32(u32::from(note.is_held));
            out.u32(note.crashes);
        }
        let started = self.started.iter();
        let started: Vec<u64> = started
            .copied()
            .filter(|at| self.is_open(*at, log))
            .collect();
        out.len(started.len());
        started.into_iter().for_each(|position| out.u64(position));
    }

    /// Whether the group still has to settle this message.
    fn is_open(&self, position: u64, log: &Log) -> bool {
        let entry = log.get(position);
        entry.is_some_and(|entry| !entry.is(Entry::HANDLED)) && !self.is_settled(position)
    }

    /// The first message that is kept and not settled, or the end.
    fn settled_floor(&self, log: &Log) -> u64 {
        let mut entries = log.entries.iter();
        let open = entries.find(|(position, _)| self.is_open(*position, log));
        open.map_or(log.end(), |(position, _)| position)
    }

    /// What is settled from `floor` on, by first and last kept message, without those that nobody has to settle.
    fn settled_runs(&self, floor: u64, log: &Log) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let mut is_within = false;
        let entries = log.entries.iter_from(floor);
        for (position, _) in entries.filter(|(_, entry)| !entry.is(Entry::HANDLED)) {
            if !self.is_settled(position) {
                is_within = false;
                continue;
            }
            match runs.last_mut() {
                Some((_, end)) if is_within => *end = position + 1,
                _ => runs.push((position, position + 1)),
            }
            is_within = true;
        }
        runs
    }

    fn read(
        format: u8,
        mode: GroupMode,
        log: &Log,
        input: &mut Fields<'_>,
    ) -> Result<Self, Malformed> {
        let floor = input.u64()?;
        if floor > log.end() {
            return Err(Malformed("a group is ahead of its messages"));
        }
        let mut lane = Self::starting_at(floor, mode);
        if let Some(cursor) = &mut lane.cursor {
            cursor.read(input)?;
            return Ok(lane);
        }
        for _ in 0..input.u64()? {
            let (from, to) = (input.u64()?, input.u64()?);
            if from > to || to > log.end() {
                return Err(Malformed("a group is ahead of its messages"));
            }
            lane.cover(from, log);
            lane.slots.skip_to(to);
        }
        for _ in 0..input.u64()? {
            let position = input.u64()?;
            let note = Note {
                attempts: input.u32()?,
                deliveries: input.u32()?,
                due: input.u64()?,
                is_held: input.u32()? != 0,
                crashes: if format > 1 { input.u32()? } else { 0 },
            };
            lane.cover(position.saturating_add(1).min(log.end()), log);
            if note.is_held {
                lane.note(position, note);
            } else {
                lane.release(position, note, log);
            }
        }
        if format > 1 {
            for _ in 0..input.u64()? {
                let position = input.u64()?;
                lane.start(position..position.saturating_add(1).min(log.end()), log);
            }
        }
        Ok(lane)
    }

    /// The same share for a group of another mode: what is settled stays settled.
    pub(super) fn converted(&self, mode: GroupMode, log: &Log) -> Self {
        if let Some(cursor) = &self.cursor {
            return Self::starting_at(cursor.position.min(log.end()), mode);
        }
        if mode == GroupMode::Log {
            // What is settled behind the first message that is not is read again.
            return Self::starting_at(self.settled_floor(log), mode);
        }
        let mut out = Writer(Vec::new());
        self.write(log, &mut out);
        let read = Self::read(FORMAT, mode, log, &mut Fields(&out.0));
        read.unwrap_or_else(|_| Self::starting_at(self.settled_floor(log), mode))
    }
}

impl Cursor {
    fn write(&self, out: &mut Writer) {
        out.u64(self.position);
        out.u32(self.moves);
        out.u32(u32::from(self.saved.is_some()));
        if let Some(saved) = &self.saved {
            out.u32(u32::try_from(saved.len()).unwrap_or(u32::MAX));
            out.0.extend_from_slice(saved);
        }
    }

    /// Reads what follows the position.
    fn read(&mut self, input: &mut Fields<'_>) -> Result<(), Malformed> {
        self.moves = input.u32()?;
        if input.u32()? != 0 {
            self.saved = Some(Bytes::copy_from_slice(input.long()?));
        }
        Ok(())
    }
}
