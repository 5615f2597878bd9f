use std::num::NonZeroU64;

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

fn written(index: &Index) -> Vec<u8> {
    let mut bytes = Vec::new();
    index.write(0, &mut bytes);
    bytes
}

fn read(bytes: &[u8], end: u64) -> Result<Index, Malformed> {
    let mut input = Fields(bytes);
    let index = Index::read(&mut input, end, |_, _| {})?;
    assert!(input.is_empty());
    Ok(index)
}

fn all(index: &Index) -> Vec<(u64, Entry)> {
    index.iter().collect()
}

fn sealed(index: &Index) -> usize {
    let blocks = index.blocks.iter();
    blocks.filter(|(_, block)| block.is_sealed()).count()
}

/// Messages of one size in frames of 1,000.
fn uniform(count: u64) -> Index {
    let mut index = Index::default();
    for number in 0..count {
        index.push(entry(64 + number * 144 + number / 1_000 * 64, 0, 144, 0));
    }
    index
}

#[test]
fn a_long_backlog_of_one_size_takes_hardly_any_bytes() {
    let index = uniform(100_000);
    let bytes = written(&index);
    assert!(bytes.len() < 2_500, "{}", bytes.len());
    assert_eq!(sealed(&index), 98 - 32, "all but those near the end");
    let back = read(&bytes, 100_000).unwrap();
    assert_eq!(sealed(&back), 98);
    assert_eq!(
        (back.len(), back.bytes(), back.count_unhandled(0)),
        (100_000, 14_400_000, 100_000)
    );
    assert_eq!(all(&back), all(&index));
    assert_eq!(sealed(&back), 98, "looking through does not open");
    assert_eq!(back.get(50_000), index.get(50_000));
    assert_eq!(sealed(&back), 97);
}

#[test]
fn blocks_at_which_nobody_looks_are_sealed_again() {
    let mut index = read(&written(&uniform(100_000)), 100_000).unwrap();
    for position in (0..60_000).step_by(1_000) {
        assert!(index.get(position).is_some());
    }
    assert_eq!(sealed(&index), 98 - 58);
    for number in 0..200_000 {
        assert!(index.get(30_000).is_some());
        index.push(entry(20_000_000 + number * 100, 0, 100, 0));
    }
    assert!(index.blocks.get(29).is_some_and(|block| !block.is_sealed()));
    assert!(index.blocks.get(10).is_some_and(Block::is_sealed));
    assert_eq!(sealed(&index), 293 - 1 - 32);
}

#[test]
fn a_message_that_comes_and_goes_alone_needs_one_place() {
    let mut index = Index::default();
    for number in 0..10_000 {
        index.push(entry(64 + number * 100, 0, 100, 0));
        assert!(index.remove(number).is_some() && index.remove(number).is_none());
        assert_eq!(index.next_from(0), None);
        assert!(index.blocks.len() <= 1);
    }
    assert_eq!((index.len(), index.bytes(), index.end()), (0, 0, 10_000));
}

#[test]
fn stragglers_are_kept_in_few_bytes() {
    let mut index = Index::default();
    for number in 0..2_000_000_u64 {
        index.push(entry(64 + number * 100, 0, 100, 0));
        if number % 1_000 != 7 {
            index.remove(number);
        }
    }
    assert_eq!(index.len(), 2_000);
    let open = index.blocks.len() - sealed(&index);
    assert!(open <= 33, "{open}");
    assert_eq!(index.next_from(8).map(|(at, _)| at), Some(1_007));
}

/// What is done to an index, by position.
#[derive(Clone, Debug)]
enum Step {
    Push(Vec<(u64, u64, u32, u32)>),
    Many(u64),
    Skip(u64),
    Remove(u64, u64),
    Handle(u64),
    Mark(u64),
    Look(u64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = 0..60_000_u64;
    let one = (0..3_u64, 0..2_u64, 1..3_u32, 0..2_u32);
    let step = prop_oneof![
        prop::collection::vec(one, 0..50).prop_map(Step::Push),
        (1..9_000_u64).prop_map(Step::Many),
        (1..5_000_u64).prop_map(Step::Skip),
        (at.clone(), 1..3_000_u64).prop_map(|(at, count)| Step::Remove(at, count)),
        at.clone().prop_map(Step::Handle),
        at.clone().prop_map(Step::Mark),
        at.prop_map(Step::Look),
        Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..30)
}

#[derive(Debug, Default)]
struct Both {
    index: Index,
    plain: std::collections::BTreeMap<u64, Entry>,
    lsn: u64,
}

impl Both {
    fn push(&mut self, (gap, key, len, marks): (u64, u64, u32, u32)) {
        self.lsn += gap + 1;
        let entry = entry(self.lsn, key, len, marks);
        self.lsn += u64::from(len) - 1;
        self.plain.insert(self.index.end(), entry);
        self.index.push(entry);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Push(some) => some.into_iter().for_each(|one| self.push(one)),
            Step::Many(count) => (0..count).for_each(|_| self.push((0, 0, 144, 0))),
            Step::Skip(count) => self.index.skip_to(self.index.end() + count),
            Step::Remove(at, count) => {
                for at in at..at + count {
                    assert_eq!(self.index.remove(at), self.plain.remove(&at));
                }
            }
            Step::Handle(at) => {
                self.index.handle(at);
                self.mark(at, Entry::HANDLED);
            }
            Step::Mark(at) => {
                if let Some(entry) = self.index.get_mut(at) {
                    entry.marks |= Entry::DONE;
                }
                self.mark(at, Entry::DONE);
            }
            Step::Look(at) => self.look(at),
            Step::Restart => {
                let end = self.index.end();
                self.index = read(&written(&self.index), end).unwrap();
            }
        }
    }

    fn mark(&mut self, at: u64, mark: u32) {
        if let Some(entry) = self.plain.get_mut(&at) {
            entry.marks |= mark;
        }
    }

    fn look(&self, at: u64) {
        let behind = || self.plain.range(at..).map(|(at, entry)| (*at, *entry));
        let open = || behind().filter(|(_, entry)| !entry.is(Entry::HANDLED));
        assert_eq!(self.index.get(at), self.plain.get(&at));
        assert_eq!(self.index.next_from(at), behind().next());
        assert!(
            self.index
                .iter_from(at)
                .take(2_000)
                .eq(behind().take(2_000))
        );
        assert_eq!(
            self.index.first_unhandled(at),
            open().next().map(|(at, _)| at)
        );
        assert_eq!(self.index.count_unhandled(at), open().count() as u64);
        if let Some(dense) = self.index.dense_from(at) {
            for (entry, at) in dense.zip(at..) {
                assert_eq!(entry, self.plain.get(&at));
            }
        }
    }

    /// The same entries in an index that was never sealed and never read, and in one that was opened.
    fn check(&self) {
        let mut fresh = Index::default();
        self.plain
            .iter()
            .for_each(|(at, entry)| fresh.put(*at, *entry));
        fresh.skip_to(self.index.end());
        assert_eq!(fresh.len(), self.index.len());
        assert_eq!(fresh.bytes(), self.index.bytes());
        assert_eq!(all(&fresh), all(&self.index));
        let first = self.plain.keys().next().copied();
        assert_eq!((fresh.first(), self.index.first()), (first, first));
        let bytes = written(&self.index);
        assert_eq!(written(&fresh), bytes);
        let mut opened = read(&bytes, self.index.end()).unwrap();
        assert_eq!(written(&opened), bytes);
        for position in self.plain.keys().step_by(100) {
            assert!(opened.get_mut(*position).is_some());
        }
        assert_eq!(written(&opened), bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn an_index_says_the_same_however_much_of_it_is_sealed(steps in steps()) {
        let mut both = Both::default();
        for step in steps {
            both.step(step);
        }
        both.check();
    }

    #[test]
    fn bytes_that_were_changed_are_read_or_refused(
        changes in prop::collection::vec((0..2_000_usize, any::<u8>()), 1..4),
        end in 0..5_000_u64,
    ) {
        let mut bytes = written(&uniform(3_000));
        let len = bytes.len();
        for (at, byte) in changes {
            bytes[at % len] = byte;
        }
        if let Ok(index) = Index::read(&mut Fields(&bytes), end, |_, _| {}) {
            prop_assert_eq!(all(&index).len() as u64, index.len());
            for position in 0..end {
                let _ = index.get(position);
            }
            let again = written(&index);
            prop_assert_eq!(all(&read(&again, end).unwrap()), all(&index));
        }
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
    let index = read(&bytes, 6).unwrap();
    assert_eq!(all(&index), [(5, entry(640, 9, 100, 1))]);
    assert!(read(&bytes, 5).is_err());
    bytes[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(read(&bytes, 6).is_err(), "no such position");
}
