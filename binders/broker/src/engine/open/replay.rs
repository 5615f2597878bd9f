//! Reading the journal behind the snapshot, and finding out whether all of it is there.

use std::io;

use mq_core::error::Result;

use super::found::Found;
use crate::{
    error,
    journal::{Damage, Reader, Scanned, frame::ALIGN, holds_frames, name, number_of},
    record::Malformed,
    state::State,
    storage::Storage,
};

/// What is read behind the snapshot, and what should be there.
impl Found {
    /// Applies the journal behind the snapshot.
    pub(super) fn replay(
        &self,
        storage: &dyn Storage,
        mut state: State,
        mark: Option<u64>,
        repair: bool,
    ) -> Result<(State, Scanned)> {
        let mut reader = Reader::new(self.size);
        for (header, file) in &self.segments {
            reader.add(*header, file.clone());
        }
        let mut damage = self.gaps(&state)?;
        if state.lsn == 0 && reader.first().is_some_and(|first| first > 0) {
            damage.push(self.all_of(0));
            state.is_shifted = true;
        }
        let (lsn, crc) = (state.lsn, state.crc);
        let scanned = reader.scan(lsn, crc, |header, body, is_behind_damage| {
            state.is_shifted |= is_behind_damage;
            state
                .apply(header, body)
                .map(drop)
                .map_err(ReplayError::Malformed)
        });
        let mut scanned = scanned.map_err(|error| match error {
            ReplayError::Io(error) => error::io("reading the journal", error),
            ReplayError::Malformed(malformed) => error::malformed(malformed),
        })?;
        damage.append(&mut scanned.damage);
        let last = scanned.tail.lsn.checked_sub(1).map(|end| end / self.size);
        damage.extend(self.strays_behind(storage, last)?);
        damage.extend(self.short_of(mark, scanned.tail.lsn));
        for damage in &damage {
            self.damaged(damage, repair)?;
        }
        scanned.damage = damage;
        scanned.end = scanned.tail.lsn;
        let last = scanned.tail.lsn / self.size;
        if self.segment(last).is_none() || self.older.contains(&last) {
            // What is written next begins a segment.
            scanned.tail.lsn = scanned.tail.lsn.next_multiple_of(self.size);
        }
        state.is_shifted = false;
        if scanned.torn {
            tracing::warn!(
                lsn = scanned.tail.lsn,
                "the end of the journal was being written when the broker ended; it is left out"
            );
        }
        state.lsn = scanned.tail.lsn;
        state.crc = scanned.tail.crc;
        Ok((state, scanned))
    }

    fn all_of(&self, number: u64) -> Damage {
        Damage {
            file: name(number, self.size),
            offset: 0,
        }
    }

    /// What the snapshot builds on and is not there.
    fn gaps(&self, state: &State) -> Result<Vec<Damage>> {
        let numbers = self.segments.iter().map(|(header, _)| header.number);
        let missing = state.missing(&numbers.collect::<Vec<_>>());
        let mut gaps: Vec<_> = missing
            .map(|number| self.all_of(number))
            .into_iter()
            .collect();
        let (number, used) = (state.lsn / self.size, state.lsn % self.size);
        if used == 0 {
            return Ok(gaps);
        }
        let Some(file) = self.segment(number) else {
            gaps.push(self.all_of(number));
            return Ok(gaps);
        };
        let offset = file
            .size()
            .map_err(|error| error::io("reading the journal", error))?;
        // The next frame begins a little behind the last one.
        if offset.next_multiple_of(ALIGN) < used {
            let file = name(number, self.size);
            gaps.push(Damage { file, offset });
        }
        Ok(gaps)
    }

    /// Files behind the end of the journal that hold a part of it and cannot be read as such.
    ///
    /// A new segment has frames only when its header is durable: what a crash leaves of one that was being begun has none.
    fn strays_behind(&self, storage: &dyn Storage, last: Option<u64>) -> Result<Vec<Damage>> {
        let is_behind = |number: u64| last.is_none_or(|last| number > last);
        let mut damage = Vec::new();
        for (name, header) in &self.strays {
            let holds = match (header, number_of(name, self.size)) {
                (Some(header), _) => header.size == self.size && is_behind(header.number),
                (None, Some(number)) if is_behind(number) => {
                    let held = storage.open(name);
                    let held = held.and_then(|file| holds_frames(&*file, number * self.size));
                    held.map_err(|error| error::io("reading the journal", error))?
                }
                (None, _) => false,
            };
            if holds {
                let file = name.clone();
                damage.push(Damage { file, offset: 0 });
            }
        }
        Ok(damage)
    }

    /// What is missing of a journal that was durable up to a mark.
    fn short_of(&self, mark: Option<u64>, end: u64) -> Option<Damage> {
        let mark = mark.filter(|mark| *mark > end)?;
        let last = (mark - 1) / self.size;
        if self.segment(last).is_none() {
            return Some(self.all_of(last));
        }
        Some(Damage {
            file: name(end / self.size, self.size),
            offset: end % self.size,
        })
    }

    fn damaged(&self, damage: &Damage, repair: bool) -> Result<()> {
        if !repair {
            return Err(error::damaged(&damage.file, damage.offset));
        }
        tracing::error!(
            file = damage.file,
            offset = damage.offset,
            segments = self.segments.len(),
            "a part of the journal cannot be read; going on without it, as `repair` says"
        );
        Ok(())
    }
}

enum ReplayError {
    Io(io::Error),
    Malformed(Malformed),
}

impl From<io::Error> for ReplayError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
