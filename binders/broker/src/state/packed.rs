//! The entries of a log in a snapshot: what follows from the entry before it is left out.
//!
//! A long backlog has a few bytes for each message instead of 32, and a snapshot of it costs less than the messages.

use mq_core::binder::{Positions, varint::put as write};

use super::log::{Entry, Times};
use crate::record::{Fields, Malformed};
use std::num::NonZeroU64;

/// Set in the number of entries, or times, where they are packed. Without it, they are written out.
const PACKED: u64 = 1 << 63;

/// The key is not 0, and follows.
const KEY: u8 = 1;
/// The length is another one, and follows.
const LEN: u8 = 2;
/// The marks are others, and follow.
const MARKS: u8 = 4;
/// Positions were passed over; how many, follows.
const JUMP: u8 = 8;
/// The record does not lie behind the one before it; how many bytes further, follows.
const GAP: u8 = 16;
/// The number of entries follows (one byte) that are like this one, without a key, each behind the one before it.
const RUN: u8 = 32;

fn read(input: &mut Fields<'_>) -> Result<u64, Malformed> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = input.u8()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Malformed("a number has too many bytes"))
}

/// What is expected of the next entry.
#[derive(Clone, Copy, Default)]
struct Next {
    position: u64,
    lsn: u64,
    len: u32,
    marks: u32,
}

impl Next {
    fn behind(position: u64, entry: &Entry, marks: u32) -> Self {
        Self {
            position: position + 1,
            lsn: entry.lsn.get().wrapping_add(u64::from(entry.len)),
            len: entry.len,
            marks,
        }
    }

    /// In what an entry differs.
    fn tag(&self, position: u64, entry: &Entry, marks: u32) -> u8 {
        let differences = [
            (entry.key != 0, KEY),
            (entry.len != self.len, LEN),
            (marks != self.marks, MARKS),
            (position != self.position, JUMP),
            (entry.lsn.get() != self.lsn, GAP),
        ];
        let tags = differences.map(|(differs, tag)| if differs { tag } else { 0 });
        tags.into_iter().fold(0, |all, tag| all | tag)
    }
}

/// Appends entries, without these marks.
pub(super) fn write_entries(entries: &Positions<Entry>, without: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&(entries.len() as u64 | PACKED).to_le_bytes());
    let mut next = Next::default();
    // Where the tag is that a run would belong to, and the run so far.
    let mut last: Option<(usize, u8)> = None;
    for (position, entry) in entries.iter() {
        let marks = entry.marks & !without;
        let tag = next.tag(position, entry, marks);
        match &mut last {
            Some((_, run)) if tag == 0 && *run < u8::MAX => *run += 1,
            _ => {
                end_run(last, out);
                last = Some((out.len(), 0));
                write_entry(tag, &next, (position, entry, marks), out);
            }
        }
        next = Next::behind(position, entry, marks);
    }
    end_run(last, out);
}

fn write_entry(
    tag: u8,
    next: &Next,
    (position, entry, marks): (u64, &Entry, u32),
    out: &mut Vec<u8>,
) {
    out.push(tag);
    if tag & KEY != 0 {
        out.extend_from_slice(&entry.key.to_le_bytes());
    }
    if tag & LEN != 0 {
        write(out, u64::from(entry.len));
    }
    if tag & MARKS != 0 {
        write(out, u64::from(marks));
    }
    if tag & JUMP != 0 {
        write(out, position - next.position);
    }
    if tag & GAP != 0 {
        write(out, entry.lsn.get().wrapping_sub(next.lsn));
    }
}

fn end_run(last: Option<(usize, u8)>, out: &mut Vec<u8>) {
    if let Some((tag, run)) = last
        && run > 0
    {
        out[tag] |= RUN;
        out.push(run);
    }
}

/// Reads entries, of positions below `end`, and calls `each` for every one, in order.
pub(super) fn read_entries(
    input: &mut Fields<'_>,
    end: u64,
    mut each: impl FnMut(u64, Entry),
) -> Result<(), Malformed> {
    let count = input.u64()?;
    let mut order = Order { from: 0, end };
    if count & PACKED == 0 {
        for _ in 0..count {
            let (position, entry) = read_plain(input)?;
            each(order.check(position)?, entry);
        }
        return Ok(());
    }
    let mut left = count & !PACKED;
    let mut next = Next::default();
    while left > 0 {
        let tag = input.u8()?;
        let (position, mut entry) = read_entry(tag, &next, input)?;
        let run = if tag & RUN == 0 { 0 } else { input.u8()? };
        left = left
            .checked_sub(1 + u64::from(run))
            .ok_or(Malformed("there are more messages than were counted"))?;
        each(order.check(position)?, entry);
        next = Next::behind(position, &entry, entry.marks);
        entry.key = 0;
        for _ in 0..run {
            entry.lsn = place(next.lsn)?;
            each(order.check(next.position)?, entry);
            next = Next::behind(next.position, &entry, entry.marks);
        }
    }
    Ok(())
}

/// The positions that may come.
struct Order {
    from: u64,
    end: u64,
}

impl Order {
    #[inline]
    fn check(&mut self, position: u64) -> Result<u64, Malformed> {
        if position < self.from || position >= self.end {
            return Err(Malformed("positions are out of order"));
        }
        self.from = position + 1;
        Ok(position)
    }
}

fn read_plain(input: &mut Fields<'_>) -> Result<(u64, Entry), Malformed> {
    let position = input.u64()?;
    let entry = Entry {
        lsn: place(input.u64()?)?,
        key: input.u64()?,
        len: input.u32()?,
        marks: input.u32()?,
    };
    Ok((position, entry))
}

fn read_entry(tag: u8, next: &Next, input: &mut Fields<'_>) -> Result<(u64, Entry), Malformed> {
    let narrow =
        |number: u64| u32::try_from(number).map_err(|_| Malformed("a number is too large"));
    let mut key = 0;
    let (mut len, mut marks, mut position, mut lsn) =
        (next.len, next.marks, next.position, next.lsn);
    if tag & KEY != 0 {
        key = input.u64()?;
    }
    if tag & LEN != 0 {
        len = narrow(read(input)?)?;
    }
    if tag & MARKS != 0 {
        marks = narrow(read(input)?)?;
    }
    if tag & JUMP != 0 {
        position = position.saturating_add(read(input)?);
    }
    if tag & GAP != 0 {
        lsn = lsn.wrapping_add(read(input)?);
    }
    let lsn = place(lsn)?;
    Ok((
        position,
        Entry {
            lsn,
            key,
            len,
            marks,
        },
    ))
}

fn place(lsn: u64) -> Result<NonZeroU64, Malformed> {
    NonZeroU64::new(lsn).ok_or(Malformed("a message has no place"))
}

/// Appends when messages were stored.
pub(super) fn write_times(times: &Times, out: &mut Vec<u8>) {
    out.extend_from_slice(&(times.len() as u64 | PACKED).to_le_bytes());
    let mut last = (0, 0);
    for time in times {
        write(out, time.0.wrapping_sub(last.0));
        write(out, time.1.wrapping_sub(last.1));
        last = *time;
    }
}

/// Reads when messages were stored.
pub(super) fn read_times(input: &mut Fields<'_>) -> Result<Times, Malformed> {
    let count = input.u64()?;
    let mut times = Times::new();
    let mut last = (0_u64, 0_u64);
    for _ in 0..count & !PACKED {
        last = if count & PACKED == 0 {
            (input.u64()?, input.u64()?)
        } else {
            (
                last.0.wrapping_add(read(input)?),
                last.1.wrapping_add(read(input)?),
            )
        };
        times.push_back(last);
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(lsn: u64, key: u64, len: u32, marks: u32) -> Entry {
        Entry {
            lsn: NonZeroU64::new(lsn).unwrap(),
            key,
            len,
            marks,
        }
    }

    fn pass_through(entries: &Positions<Entry>) -> (usize, Vec<(u64, Entry)>) {
        let mut bytes = Vec::new();
        write_entries(entries, Entry::SCHEDULED, &mut bytes);
        let mut input = Fields(&bytes);
        let mut back = Vec::new();
        read_entries(&mut input, entries.end(), |at, entry| {
            back.push((at, entry));
        })
        .unwrap();
        assert!(input.is_empty());
        (bytes.len(), back)
    }

    #[test]
    fn a_long_backlog_of_one_size_takes_hardly_any_bytes() {
        let mut entries = Positions::default();
        (0..100_000).for_each(|number| entries.push(entry(64 + number * 144, 0, 144, 0)));
        let (bytes, back) = pass_through(&entries);
        assert!(bytes < 1_000, "{bytes}");
        assert_eq!(back.len(), 100_000);
        assert_eq!(back[99_999], (99_999, entry(64 + 99_999 * 144, 0, 144, 0)));
    }

    proptest! {
        #[test]
        fn every_entry_comes_back(all in prop::collection::vec((0..3_u64, 1..4_u64, 0..3_u64, 1..3_u32, 0..2_u32), 0..300)) {
            let mut entries = Positions::default();
            let mut lsn = 1;
            for (jump, gap, key, len, marks) in all {
                entries.put(entries.end() + jump * jump * 700, entry(lsn, key, len, marks));
                lsn += gap;
            }
            let all: Vec<_> = entries.iter().map(|(at, entry)| (at, *entry)).collect();
            prop_assert_eq!(pass_through(&entries).1, all);
        }

        #[test]
        fn every_time_comes_back(all in prop::collection::vec(any::<(u64, u64)>(), 0..50)) {
            let times: Times = all.into();
            let mut bytes = Vec::new();
            write_times(&times, &mut bytes);
            prop_assert_eq!(read_times(&mut Fields(&bytes)), Ok(times));
        }
    }

    #[test]
    fn what_was_written_out_is_read() {
        let mut bytes = Vec::new();
        for number in [1, 5, 640, 9] {
            bytes.extend_from_slice(&u64::to_le_bytes(number));
        }
        for number in [100, 1] {
            bytes.extend_from_slice(&u32::to_le_bytes(number));
        }
        let mut back = Vec::new();
        read_entries(&mut Fields(&bytes), 6, |at, entry| back.push((at, entry))).unwrap();
        assert_eq!(back, [(5, entry(640, 9, 100, 1))]);
        assert!(read_entries(&mut Fields(&bytes), 5, |_, _| {}).is_err());
    }
}
