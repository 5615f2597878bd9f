//! Entries of neighbouring positions: laid out to be changed, or sealed into a few bytes until one of them is asked for.

use std::cell::{Cell, OnceCell};

use super::run::{Next, Reader, Run, Writer};
use crate::{record::Fields, state::log::Entry};

/// Positions of a block, as a power of 2.
pub(super) const BITS: u32 = 10;
/// Positions of a block.
pub(super) const SIZE: usize = 1 << BITS;

/// The block of a position.
#[inline]
pub(super) fn number(position: u64) -> u64 {
    position >> BITS
}

/// Where in its block a position is.
#[inline]
fn offset(position: u64) -> usize {
    position as usize & (SIZE - 1)
}

/// Entries as they are written.
#[derive(Debug)]
pub(super) struct Sealed {
    next: Next,
    lead: u64,
    bytes: Box<[u8]>,
}

impl Sealed {
    /// The part of what is read between two places.
    pub(super) fn between(begin: &Reader<'_>, end: &Reader<'_>) -> Self {
        let len = begin.input.0.len() - end.input.0.len();
        Self {
            next: begin.next,
            lead: begin.lead,
            bytes: begin.input.0[..len].into(),
        }
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            input: Fields(&self.bytes),
            next: self.next,
            lead: self.lead,
        }
    }
}

/// Entries of neighbouring positions.
#[derive(Debug)]
pub(super) struct Block {
    base: u64,
    /// The entries from `from` on; empty while the block is sealed.
    open: OnceCell<Vec<Option<Entry>>>,
    from: usize,
    /// There is no entry before this one.
    first: usize,
    /// The same entries, unless they were changed since.
    sealed: Option<Sealed>,
    live: usize,
    /// Those that need handling.
    unhandled: usize,
    /// Whether anybody has looked at it of late.
    is_touched: Cell<bool>,
}

impl Block {
    /// An empty one that begins with `position`, with room for so many entries.
    pub(super) fn new(position: u64, room: usize) -> Self {
        Self {
            base: number(position) << BITS,
            open: OnceCell::from(Vec::with_capacity(room)),
            from: offset(position),
            first: offset(position),
            sealed: None,
            live: 0,
            unhandled: 0,
            is_touched: Cell::new(false),
        }
    }

    /// A sealed one without entries before `position`; they are [counted](Self::count) by and by.
    pub(super) fn to_be_sealed(position: u64) -> Self {
        Self {
            open: OnceCell::new(),
            ..Self::new(position, 0)
        }
    }

    /// Counts entries of a block that is read.
    pub(super) fn count(&mut self, run: &Run) {
        let count = run.count() as usize;
        self.live += count;
        self.unhandled += if run.entry.is(Entry::HANDLED) {
            0
        } else {
            count
        };
    }

    /// What was counted is this.
    pub(super) fn set_sealed(&mut self, sealed: Sealed) {
        self.sealed = Some(sealed);
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether nothing is laid out.
    pub(super) fn is_sealed(&self) -> bool {
        self.open.get().is_none()
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn unhandled(&self) -> usize {
        self.unhandled
    }

    /// Whether there was an entry at the last position.
    pub(super) fn is_full(&self) -> bool {
        let open = self.open.get();
        open.is_some_and(|open| self.from + open.len() == SIZE)
    }

    #[inline]
    fn entries(&self) -> &[Option<Entry>] {
        self.is_touched.set(true);
        match self.open.get() {
            Some(open) => open,
            None => self.expand(),
        }
    }

    #[cold]
    fn expand(&self) -> &[Option<Entry>] {
        self.open.get_or_init(|| {
            let mut open = Vec::with_capacity(SIZE - self.from);
            for run in self.sealed_runs() {
                open.resize(offset(run.position) - self.from, None);
                open.extend(run.entries().map(Some));
            }
            open
        })
    }

    /// The entries, which are about to be changed.
    #[inline]
    fn entries_mut(&mut self) -> Option<&mut Vec<Option<Entry>>> {
        self.is_touched.set(true);
        if self.open.get().is_none() {
            self.expand();
        }
        if self.sealed.is_some() {
            self.sealed = None;
        }
        self.open.get_mut()
    }

    #[inline]
    pub(super) fn get(&self, position: u64) -> Option<&Entry> {
        let index = offset(position).checked_sub(self.from)?;
        self.entries().get(index)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, position: u64) -> Option<&mut Entry> {
        let index = offset(position).checked_sub(self.from)?;
        self.entries_mut()?.get_mut(index)?.as_mut()
    }

    /// The entries from a position on, holes included.
    #[inline]
    pub(super) fn dense_from(&self, position: u64) -> Option<&[Option<Entry>]> {
        let index = offset(position).checked_sub(self.from)?;
        self.entries().get(index..)
    }

    /// Sets the entry of a position behind all others.
    #[inline]
    pub(super) fn push(&mut self, position: u64, entry: Entry) {
        let offset = offset(position);
        if self.live == 0 {
            (self.from, self.first) = (offset, offset);
        }
        let index = offset - self.from;
        let Some(open) = self.entries_mut() else {
            return;
        };
        if open.len() < index {
            open.resize(index, None);
        }
        open.push(Some(entry));
        self.live += 1;
        self.unhandled += usize::from(!entry.is(Entry::HANDLED));
    }

    #[inline]
    pub(super) fn remove(&mut self, position: u64) -> Option<Entry> {
        let index = offset(position).checked_sub(self.from)?;
        let last = self.live == 1;
        let open = self.entries_mut()?;
        let entry = open.get_mut(index)?.take()?;
        if last {
            open.clear();
        }
        self.live -= 1;
        self.unhandled -= usize::from(!entry.is(Entry::HANDLED));
        if !last && offset(position) == self.first {
            self.find_first(index);
        }
        Some(entry)
    }

    #[inline]
    fn find_first(&mut self, index: usize) {
        let behind = self.open.get().and_then(|open| open.get(index..));
        let free = behind.map_or(0, |behind| {
            behind.iter().take_while(|entry| entry.is_none()).count()
        });
        self.first += free;
    }

    /// An entry needs no handling any more; returns whether it did.
    pub(super) fn handle(&mut self, position: u64) -> bool {
        let entry = self.get_mut(position);
        let Some(entry) = entry.filter(|entry| !entry.is(Entry::HANDLED)) else {
            return false;
        };
        entry.marks |= Entry::HANDLED;
        self.unhandled -= 1;
        true
    }

    /// Puts the entries into as few bytes as they need.
    pub(super) fn seal(&mut self) {
        if self.live == 0 || self.open.get().is_none() {
            return;
        }
        if self.sealed.is_none() {
            let mut bytes = Vec::new();
            let mut writer = Writer::new(&mut bytes);
            self.each_run(|run| writer.add(run));
            writer.end();
            self.sealed = Some(Sealed {
                next: Next::default(),
                lead: 0,
                bytes: bytes.into(),
            });
        }
        self.from = self.first;
        self.open = OnceCell::new();
        self.is_touched.set(false);
    }

    /// Seals a block at which nobody has looked since this was called last; returns whether that was to be done.
    pub(super) fn rest(&mut self) -> bool {
        if self.is_touched.replace(false) || self.open.get().is_none() {
            return false;
        }
        self.seal();
        true
    }

    /// Every entry in order, in runs.
    pub(super) fn each_run(&self, mut each: impl FnMut(&Run)) {
        match (&self.sealed, self.open.get()) {
            (None, Some(open)) => {
                let first = self.base + self.from as u64;
                let mut last: Option<Run> = None;
                for (position, entry) in (first..).zip(open) {
                    let Some(entry) = entry else { continue };
                    match &mut last {
                        Some(run) if run.is_before(position, entry) => run.more += 1,
                        _ => {
                            if let Some(run) = last.replace(Run::one(position, *entry)) {
                                each(&run);
                            }
                        }
                    }
                }
                last.iter().for_each(each);
            }
            _ => self.sealed_runs().for_each(|run| each(&run)),
        }
    }

    fn sealed_runs(&self) -> Runs<'_> {
        Runs {
            reader: self.sealed.as_ref().map(Sealed::reader),
            left: self.live as u64,
        }
    }

    /// The position of the first entry.
    pub(super) fn first(&self) -> Option<u64> {
        (self.live > 0).then_some(self.base + self.first as u64)
    }

    /// Every entry at or after a position of the block, in order; a sealed block stays so.
    pub(super) fn iter_from(&self, position: u64) -> Within<'_> {
        let from = offset(position).max(self.first);
        let Some(open) = self.open.get() else {
            let from = self.base + from as u64;
            return Within::Sealed(from, None, self.sealed_runs());
        };
        let behind = open.get(from.saturating_sub(self.from)..);
        let behind = behind.unwrap_or_default();
        Within::Open(self.base + from as u64, behind.iter())
    }
}

/// The runs of a sealed block.
#[derive(Clone, Debug)]
pub(super) struct Runs<'a> {
    reader: Option<Reader<'a>>,
    left: u64,
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        if self.left == 0 {
            return None;
        }
        // It was read as a whole before, or written here.
        let run = self.reader.as_mut()?.run().ok()?.first(self.left);
        self.left -= run.count();
        Some(run)
    }
}

/// Entries of a block.
#[derive(Debug)]
pub(super) enum Within<'a> {
    /// The next position, and what is there and behind.
    Open(u64, std::slice::Iter<'a, Option<Entry>>),
    /// The first position that is wanted, what is left of a run, and the runs behind it.
    Sealed(u64, Option<Run>, Runs<'a>),
}

impl Iterator for Within<'_> {
    type Item = (u64, Entry);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Open(next, entries) => loop {
                let position = *next;
                *next += 1;
                if let Some(entry) = entries.next()? {
                    return Some((position, *entry));
                }
            },
            Self::Sealed(from, run, runs) => loop {
                let next = run.take().or_else(|| runs.next())?;
                if next.position >= *from {
                    *run = next.behind(1);
                    return Some((next.position, next.entry));
                }
                *run = next.behind(*from - next.position);
            },
        }
    }
}
