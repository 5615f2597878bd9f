//! A group's share of a partition in a snapshot.

use bytes::Bytes;

use super::Writer;
use crate::{
    format::FORMAT,
    options::GroupMode,
    record::{Fields, Malformed},
    state::{
        lane::{Cursor, Lane, Note},
        log::{Entry, Log},
    },
};

impl Lane {
    /// What is settled, as runs, and notes.
    ///
    /// Where the group has got to in handing out is left out: what is not settled is handed out again.
    pub(super) fn write(&self, log: &Log, out: &mut Writer) {
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
        let open = entries
            .find(|(position, entry)| !entry.is(Entry::HANDLED) && !self.is_settled(*position));
        open.map_or(log.end(), |(position, _)| position)
    }

    /// What is settled from `floor` on, by first and last kept message, without those that nobody has to settle.
    fn settled_runs(&self, floor: u64, log: &Log) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let mut is_within = false;
        let entries = log.entries.iter_from(floor);
        // From there on, nothing is settled.
        let entries = entries.take_while(|(position, _)| *position < self.next());
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

    pub(super) fn read(
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
    pub(in crate::state) fn converted(&self, mode: GroupMode, log: &Log) -> Self {
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
