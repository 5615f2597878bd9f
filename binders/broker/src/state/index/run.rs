//! Entries that follow from the first of them, and how they are written: what follows from the entry before is left out.

use std::num::NonZeroU64;

use mq_core::binder::varint;

use crate::{
    record::{Fields, Malformed},
    state::log::Entry,
};

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
/// Entries that one byte counts.
const MOST: u64 = u8::MAX as u64;

/// An entry, and so many more like it, without keys, each behind the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) position: u64,
    pub(super) entry: Entry,
    pub(super) more: u64,
}

impl Run {
    /// A single entry.
    pub(super) fn one(position: u64, entry: Entry) -> Self {
        Self {
            position,
            entry,
            more: 0,
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.more + 1
    }

    /// The position behind the last entry.
    pub(super) fn end(&self) -> u64 {
        self.position + self.count()
    }

    /// What is left when so many entries are taken from the front.
    pub(super) fn behind(&self, count: u64) -> Option<Self> {
        let more = self.more.checked_sub(count)?;
        let lsn = self.entry.lsn.get() + count * u64::from(self.entry.len);
        Some(Self {
            position: self.position + count,
            entry: Entry {
                lsn: NonZeroU64::new(lsn)?,
                key: if count == 0 { self.entry.key } else { 0 },
                ..self.entry
            },
            more,
        })
    }

    /// The first entries, as many as this.
    pub(super) fn first(&self, count: u64) -> Self {
        Self {
            more: self.more.min(count.saturating_sub(1)),
            ..*self
        }
    }

    /// Whether the run can be longer by this entry.
    #[inline]
    pub(super) fn is_before(&self, position: u64, entry: &Entry) -> bool {
        let bytes = self.count() * u64::from(self.entry.len);
        position == self.end()
            && entry.lsn.get() == self.entry.lsn.get().wrapping_add(bytes)
            && entry.key == 0
            && (entry.len, entry.marks) == (self.entry.len, self.entry.marks)
    }

    /// The entries, one by one.
    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = Entry> {
        let (first, len) = (self.entry, u64::from(self.entry.len));
        (0..self.count() as u32).map(move |index| Entry {
            lsn: first.lsn.saturating_add(u64::from(index) * len),
            key: if index == 0 { first.key } else { 0 },
            ..first
        })
    }

    fn is_sound(&self) -> bool {
        let bytes = self.more.checked_mul(u64::from(self.entry.len));
        let last = bytes.and_then(|bytes| self.entry.lsn.checked_add(bytes));
        last.is_some() && self.position.checked_add(self.count()).is_some()
    }
}

/// What is expected of the next entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Next {
    position: u64,
    lsn: u64,
    len: u32,
    marks: u32,
}

impl Next {
    pub(super) fn behind(run: &Run) -> Self {
        let bytes = run.count().wrapping_mul(u64::from(run.entry.len));
        Self {
            position: run.end(),
            lsn: run.entry.lsn.get().wrapping_add(bytes),
            len: run.entry.len,
            marks: run.entry.marks,
        }
    }

    /// In what an entry differs.
    #[inline]
    fn tag(&self, run: &Run) -> u8 {
        let differs = |differs: bool, tag: u8| if differs { tag } else { 0 };
        differs(run.entry.key != 0, KEY)
            | differs(run.entry.len != self.len, LEN)
            | differs(run.entry.marks != self.marks, MARKS)
            | differs(run.position != self.position, JUMP)
            | differs(run.entry.lsn.get() != self.lsn, GAP)
    }
}

/// Writes entries: the same bytes, in whichever runs they come.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    next: Next,
    /// Where the tag is that a run would belong to, and the run so far.
    last: Option<(usize, u8)>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            next: Next::default(),
            last: None,
        }
    }

    #[inline]
    pub(super) fn add(&mut self, run: &Run) {
        let mut tag = self.next.tag(run);
        let mut left = run.count();
        if tag == 0 {
            left -= self.lengthen(left);
        }
        while left > 0 {
            self.end();
            self.last = Some((self.out.len(), 0));
            self.write(tag, run);
            tag = 0;
            left -= 1;
            left -= self.lengthen(left);
        }
        self.next = Next::behind(run);
    }

    /// Adds up to so many to the last run; returns how many.
    #[inline]
    fn lengthen(&mut self, count: u64) -> u64 {
        let Some((_, run)) = &mut self.last else {
            return 0;
        };
        let count = count.min(MOST - u64::from(*run)) as u8;
        *run += count;
        u64::from(count)
    }

    fn write(&mut self, tag: u8, run: &Run) {
        let out = &mut *self.out;
        out.push(tag);
        if tag & KEY != 0 {
            out.extend_from_slice(&run.entry.key.to_le_bytes());
        }
        if tag & LEN != 0 {
            varint::put(out, u64::from(run.entry.len));
        }
        if tag & MARKS != 0 {
            varint::put(out, u64::from(run.entry.marks));
        }
        if tag & JUMP != 0 {
            varint::put(out, run.position - self.next.position);
        }
        if tag & GAP != 0 {
            varint::put(out, run.entry.lsn.get().wrapping_sub(self.next.lsn));
        }
    }

    /// Writes how long the last run is.
    pub(super) fn end(&mut self) {
        if let Some((tag, run)) = self.last.take()
            && run > 0
        {
            self.out[tag] |= RUN;
            self.out.push(run);
        }
    }
}

/// Reads entries, from their first or from a later one on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) input: Fields<'a>,
    pub(super) next: Next,
    /// Entries that are left of a run whose tag lies before the input.
    pub(super) lead: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: Fields<'a>) -> Self {
        Self {
            input,
            next: Next::default(),
            lead: 0,
        }
    }

    /// The next run.
    #[inline]
    pub(super) fn run(&mut self) -> Result<Run, Malformed> {
        let run = match self.lead {
            0 => self.tagged()?,
            lead => Run {
                position: self.next.position,
                entry: Entry {
                    lsn: place(self.next.lsn)?,
                    key: 0,
                    len: self.next.len,
                    marks: self.next.marks,
                },
                more: lead - 1,
            },
        };
        if !run.is_sound() {
            return Err(Malformed("a message has no place"));
        }
        self.lead = 0;
        self.next = Next::behind(&run);
        Ok(run)
    }

    #[inline]
    fn tagged(&mut self) -> Result<Run, Malformed> {
        let (tag, mut key, next) = (self.input.u8()?, 0, self.next);
        let (mut len, mut marks) = (next.len, next.marks);
        let (mut position, mut lsn) = (next.position, next.lsn);
        if tag & KEY != 0 {
            key = self.input.u64()?;
        }
        if tag & LEN != 0 {
            len = narrow(number(&mut self.input)?)?;
        }
        if tag & MARKS != 0 {
            marks = narrow(number(&mut self.input)?)?;
        }
        if tag & JUMP != 0 {
            position = position.saturating_add(number(&mut self.input)?);
        }
        if tag & GAP != 0 {
            lsn = lsn.wrapping_add(number(&mut self.input)?);
        }
        let more = if tag & RUN == 0 { 0 } else { self.input.u8()? };
        Ok(Run {
            position,
            entry: Entry {
                lsn: place(lsn)?,
                key,
                len,
                marks,
            },
            more: u64::from(more),
        })
    }
}

/// Reads a number of variable length.
pub(in crate::state) fn number(input: &mut Fields<'_>) -> Result<u64, Malformed> {
    varint::take(&mut input.0).ok_or(Malformed("a number has too many bytes"))
}

fn narrow(number: u64) -> Result<u32, Malformed> {
    u32::try_from(number).map_err(|_| Malformed("a number is too large"))
}

pub(super) fn place(lsn: u64) -> Result<NonZeroU64, Malformed> {
    NonZeroU64::new(lsn).ok_or(Malformed("a message has no place"))
}
