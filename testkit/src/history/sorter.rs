//! Sorts any number of records in bounded memory: sorted runs, spilled to a file, merged.

use std::fmt::Debug;
use std::path::Path;

use mq_core::error::Result;

use super::runs::{Cursor, Merge, Spill};

/// What is sorted: of one size, here and in the file.
pub(super) trait Record: Copy + Ord + Send + Debug {
    /// Bytes in the file.
    const SIZE: usize;

    /// Writes it to exactly `SIZE` bytes.
    fn encode(&self, bytes: &mut [u8]);

    /// Reads what `encode` wrote.
    fn decode(bytes: &[u8]) -> Self;
}

/// Takes records in any order and gives them back sorted.
#[derive(Debug)]
pub(super) struct Sorter<R> {
    buffer: Vec<R>,
    limit: usize,
    spill: Spill,
}

impl<R: Record> Sorter<R> {
    /// `memory` in bytes, of which at least two records are kept; `expected` records, to reserve for no more.
    pub(super) fn new(memory: usize, expected: u64, folder: Option<&Path>) -> Self {
        let limit = (memory / size_of::<R>()).max(2);
        let expected = usize::try_from(expected).unwrap_or(limit);
        Self {
            buffer: Vec::with_capacity(expected.min(limit)),
            limit,
            spill: Spill::new(folder),
        }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// A run could not be written to the temporary file.
    pub(super) fn push(&mut self, record: R) -> Result<()> {
        if self.buffer.len() == self.limit {
            self.spill_buffer()?;
        }
        self.buffer.push(record);
        Ok(())
    }

    /// The records in their order.
    ///
    /// # Errors
    /// The temporary file failed.
    pub(super) fn finish(mut self) -> Result<Merge<R>> {
        let halves = sort_halves(&mut self.buffer);
        let memory = halves.into_iter().map(Cursor::in_memory);
        let cursors = memory.chain(self.spill.cursors()).collect();
        Merge::new(self.buffer, self.spill, cursors)
    }

    fn spill_buffer(&mut self) -> Result<()> {
        for half in sort_halves(&mut self.buffer) {
            self.spill.write(&self.buffer[half])?;
        }
        self.buffer.clear();
        Ok(())
    }
}

/// Sorts the two halves of the buffer, each on a core of its own; the merge joins them.
fn sort_halves<R: Record>(buffer: &mut [R]) -> [std::ops::Range<usize>; 2] {
    let middle = buffer.len() / 2;
    let (left, right) = buffer.split_at_mut(middle);
    std::thread::scope(|scope| {
        scope.spawn(|| left.sort_unstable());
        right.sort_unstable();
    });
    [0..middle, middle..buffer.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Record for u64 {
        const SIZE: usize = 8;

        fn encode(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.to_le_bytes());
        }

        fn decode(bytes: &[u8]) -> Self {
            Self::from_le_bytes(super::super::frame::get(bytes, 0))
        }
    }

    proptest! {
        #[test]
        fn gives_back_all_in_order(mut values in prop::collection::vec(0..500_u64, 0..400), room in 0..300_usize) {
            let mut sorter = Sorter::new(room * 8, values.len() as u64, None);
            for value in &values {
                sorter.push(*value)?;
            }
            let sorted = sorter.finish()?.collect::<Result<Vec<_>>>()?;
            values.sort_unstable();
            prop_assert_eq!(sorted, values);
        }
    }
}
