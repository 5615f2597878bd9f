//! Where the messages of a partition are: an entry for each, by position.
//!
//! Entries lie in blocks of 1,024 positions. Those that nobody looks at are sealed: what follows from the entry before is left out,
//! which is nearly everything where messages are published in a row. So a long backlog takes little memory, a snapshot is written
//! from what is written already, and a start lays out nothing until it is asked for.

mod block;
mod run;
#[cfg(test)]
mod tests;

use mq_core::binder::Positions;

use super::log::Entry;
use crate::record::{Fields, Malformed};
use block::{BITS, Block, SIZE, Sealed, number};
use run::{Next, Reader, Run, Writer};

pub(super) use run::number as read_number;

/// Set in the number of entries, or times, where they are packed. Without it, they are written out.
pub(super) const PACKED: u64 = 1 << 63;
/// So many blocks before the last one are left as they are: a short backlog is never sealed.
const NEAR: u64 = 32;
/// So many blocks are looked at for each that is begun: every one of them some time, however fast there are more.
const LOOKS: usize = 4;

/// Entries by position, where positions only ever grow.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// By number; none is empty, but for the one that is being filled.
    blocks: Positions<Block>,
    end: u64,
    len: u64,
    /// Bytes of all records.
    bytes: u64,
    /// The next block to be looked at, whether it can be sealed.
    hand: u64,
}

impl Index {
    /// The position that the next [`push`](Self::push) gets.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// How many entries are laid out.
    pub(super) fn open(&self) -> u64 {
        let blocks = self.blocks.iter().map(|(_, block)| block);
        let open = blocks.filter(|block| !block.is_sealed());
        open.map(|block| block.live() as u64).sum()
    }

    /// Bytes of all records.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sets the entry of the next position.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry) {
        let position = self.end;
        self.end += 1;
        self.len += 1;
        self.bytes += u64::from(entry.len);
        match self.blocks.get_mut(number(position)) {
            Some(block) => block.push(position, entry),
            None => self.begin(position, entry),
        }
    }

    /// Begins a block.
    #[cold]
    fn begin(&mut self, position: u64, entry: Entry) {
        let mut room = 0;
        let last = self.blocks.end().checked_sub(1);
        if let Some((last, block)) = last.and_then(|last| Some((last, self.blocks.get(last)?))) {
            room = if block.is_full() { SIZE } else { 0 };
            if block.is_empty() {
                self.remove_block(last);
            }
        }
        let mut block = Block::new(position, room);
        block.push(position, entry);
        self.blocks.put(number(position), block);
        self.rest(number(position));
    }

    /// Seals the block that is not near the end any more, and another one at which nobody has looked for a long time.
    ///
    /// At most two are sealed for each that is begun: that is what it can cost to seal one that is opened again.
    fn rest(&mut self, last: u64) {
        let Some(far) = last.checked_sub(NEAR) else {
            return;
        };
        if let Some(block) = self.blocks.get_mut(far) {
            block.seal();
        }
        for _ in 0..LOOKS {
            let next = self.blocks.next_from(self.hand).map(|(number, _)| number);
            let next = next.filter(|number| *number < far);
            self.hand = next.map_or(0, |number| number + 1);
            let block = next.and_then(|number| self.blocks.get_mut(number));
            if block.is_none_or(Block::rest) {
                return;
            }
        }
    }

    #[cold]
    fn remove_block(&mut self, number: u64) {
        self.blocks.clear(number);
        self.blocks.tidy();
    }

    /// Sets the entry of a position at or after the end; those between have none.
    fn put(&mut self, position: u64, entry: Entry) {
        self.skip_to(position);
        self.push(entry);
    }

    /// Passes over positions up to `end`, which have no entry.
    pub(super) fn skip_to(&mut self, end: u64) {
        self.end = self.end.max(end);
    }

    #[inline]
    pub(super) fn get(&self, position: u64) -> Option<&Entry> {
        self.blocks.get(number(position))?.get(position)
    }

    /// An entry, to change anything but whether it needs handling.
    #[inline]
    pub(super) fn get_mut(&mut self, position: u64) -> Option<&mut Entry> {
        self.blocks.get_mut(number(position))?.get_mut(position)
    }

    /// An entry needs no handling any more.
    pub(super) fn handle(&mut self, position: u64) {
        if let Some(block) = self.blocks.get_mut(number(position)) {
            block.handle(position);
        }
    }

    /// Removes an entry.
    #[inline]
    pub(super) fn remove(&mut self, position: u64) -> Option<Entry> {
        let number = number(position);
        let block = self.blocks.get_mut(number)?;
        let entry = block.remove(position)?;
        self.len -= 1;
        self.bytes -= u64::from(entry.len);
        if block.is_empty() && number != self.end >> BITS {
            self.remove_block(number);
        }
        Some(entry)
    }

    /// Entries from `position` on, holes included, up to the end of a block; `None` where there are none at once.
    #[inline]
    pub(super) fn dense_from(&self, position: u64) -> Option<impl Iterator<Item = Option<&Entry>>> {
        let block = self.blocks.get(number(position))?;
        Some(block.dense_from(position)?.iter().map(Option::as_ref))
    }

    /// The first entry at or after `position`.
    #[inline]
    pub(super) fn next_from(&self, position: u64) -> Option<(u64, Entry)> {
        if let Some(entry) = self.get(position) {
            return Some((position, *entry));
        }
        self.iter_from(position).next()
    }

    /// The position of the first entry.
    pub(super) fn first(&self) -> Option<u64> {
        let (_, first) = self.blocks.next_from(0)?;
        first.first()
    }

    /// Every entry in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Entry)> {
        self.iter_from(0)
    }

    /// Every entry at or after `position`, in order.
    pub(super) fn iter_from(&self, position: u64) -> impl Iterator<Item = (u64, Entry)> {
        let blocks = self.blocks.iter_from(number(position));
        blocks.flat_map(move |(number, block)| block.iter_from(position.max(number << BITS)))
    }

    /// The first entry at or after `position` that needs handling.
    pub(super) fn first_unhandled(&self, position: u64) -> Option<u64> {
        let blocks = self.blocks.iter_from(number(position));
        let mut blocks = blocks.filter(|(_, block)| block.unhandled() > 0);
        blocks.find_map(|(number, block)| {
            let mut entries = block.iter_from(position.max(number << BITS));
            let found = entries.find(|(_, entry)| !entry.is(Entry::HANDLED));
            found.map(|(position, _)| position)
        })
    }

    /// How many entries at or after `position` need handling.
    pub(super) fn count_unhandled(&self, position: u64) -> u64 {
        let first = number(position);
        let own = self.blocks.get(first).map_or(0, |block| {
            let entries = block.iter_from(position);
            let open = entries.filter(|(_, entry)| !entry.is(Entry::HANDLED));
            open.count() as u64
        });
        let behind = self.blocks.iter_from(first + 1);
        behind.fold(own, |sum, (_, block)| sum + block.unhandled() as u64)
    }

    /// Writes every entry, without these marks: the same bytes, whatever is sealed.
    pub(super) fn write(&self, without: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.len | PACKED).to_le_bytes());
        let mut writer = Writer::new(out);
        for (_, block) in self.blocks.iter() {
            block.each_run(|run| {
                let mut run = *run;
                run.entry.marks &= !without;
                writer.add(&run);
            });
        }
        writer.end();
    }

    /// Reads entries of positions below `end`, which is the end then; calls `each` with every entry that others follow from, and how many.
    ///
    /// They are checked, and stay as they are until one of them is asked for.
    pub(super) fn read(
        input: &mut Fields<'_>,
        end: u64,
        mut each: impl FnMut(&Entry, u64),
    ) -> Result<Self, Malformed> {
        let mut index = Self::default();
        let count = input.u64()?;
        if count & PACKED == 0 {
            index.read_plain(count, end, input, &mut each)?;
        } else {
            index.read_packed(count & !PACKED, end, input, &mut each)?;
        }
        index.skip_to(end);
        Ok(index)
    }

    fn read_plain(
        &mut self,
        count: u64,
        end: u64,
        input: &mut Fields<'_>,
        each: &mut impl FnMut(&Entry, u64),
    ) -> Result<(), Malformed> {
        for _ in 0..count {
            let position = input.u64()?;
            let entry = Entry {
                lsn: run::place(input.u64()?)?,
                key: input.u64()?,
                len: input.u32()?,
                marks: input.u32()?,
            };
            in_order(&Run::one(position, entry), self.end, end)?;
            each(&entry, 1);
            self.put(position, entry);
        }
        Ok(())
    }

    fn read_packed(
        &mut self,
        count: u64,
        end: u64,
        input: &mut Fields<'_>,
        each: &mut impl FnMut(&Entry, u64),
    ) -> Result<(), Malformed> {
        let mut reader = Reader::new(*input);
        let mut filling: Option<Filling<'_>> = None;
        while self.len < count {
            let mut begin = reader;
            let run = reader.run()?;
            in_order(&run, self.end, end)?;
            if run.count() > count - self.len {
                return Err(Malformed("there are more messages than were counted"));
            }
            each(&run.entry, run.count());
            self.end = run.end();
            self.len += run.count();
            self.bytes += run.count().saturating_mul(u64::from(run.entry.len));
            let mut rest = Some(run);
            while let Some(run) = rest {
                let room = SIZE as u64 - run.position % SIZE as u64;
                let part = run.first(room);
                let own = number(run.position);
                if filling
                    .as_ref()
                    .is_some_and(|filling| filling.number != own)
                {
                    self.add(filling.take(), &begin);
                }
                let filling = filling.get_or_insert_with(|| Filling::new(begin, run.position));
                filling.block.count(&part);
                rest = run.behind(part.count());
                begin = Reader {
                    next: Next::behind(&part),
                    lead: run.more - part.more,
                    ..reader
                };
            }
        }
        self.add(filling, &reader);
        *input = reader.input;
        Ok(())
    }

    /// Adds a block that was read, up to this place.
    fn add(&mut self, filling: Option<Filling<'_>>, end: &Reader<'_>) {
        if let Some(mut filling) = filling {
            let sealed = Sealed::between(&filling.begin, end);
            filling.block.set_sealed(sealed);
            self.blocks.put(filling.number, filling.block);
        }
    }
}

/// A block that is being read.
struct Filling<'a> {
    number: u64,
    begin: Reader<'a>,
    block: Block,
}

impl<'a> Filling<'a> {
    fn new(begin: Reader<'a>, position: u64) -> Self {
        Self {
            number: number(position),
            begin,
            block: Block::to_be_sealed(position),
        }
    }
}

/// Checks that a run lies between these positions.
#[inline]
fn in_order(run: &Run, from: u64, end: u64) -> Result<(), Malformed> {
    if run.position < from || run.position.saturating_add(run.count()) > end {
        return Err(Malformed("positions are out of order"));
    }
    Ok(())
}
