//! The messages of a partition in a snapshot.

use std::cmp::Reverse;

use super::Writer;
use crate::{
    record::{Fields, Malformed},
    state::{
        index::Index,
        log::{Entry, Log},
        times,
    },
};

/// No partition has so many messages.
const LAST: u64 = 1 << 60;

impl Log {
    pub(super) fn write(&self, now: u64, out: &mut Writer) {
        out.u64(self.end());
        out.u64(self.swept);
        self.entries.write(Entry::SCHEDULED, &mut out.0);
        times::write_times(&self.times, &mut out.0);
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

    pub(super) fn read(
        &mut self,
        format: u8,
        input: &mut Fields<'_>,
        mut each: impl FnMut(&Entry, u64),
    ) -> Result<(), Malformed> {
        let end = input.u64()?;
        self.swept = input.u64()?;
        if end > LAST {
            return Err(Malformed("there are more messages than can be"));
        }
        let done = &mut self.done;
        self.entries = Index::read(input, end, |entry, count| {
            *done += if entry.is(Entry::DONE) { count } else { 0 };
            each(entry, count);
        })?;
        self.times = times::read_times(input)?;
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
