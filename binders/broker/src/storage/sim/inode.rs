//! The content of a file: as programs read it, and as a crash may leave it.

use super::{Seeded, Style};

/// Bytes that a disk writes as a whole.
const SECTOR: usize = 512;

/// What was not synced.
#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

/// A file's content.
#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    data: Vec<u8>,
    durable: Vec<u8>,
    /// What no sync was asked for yet, or whose sync has failed.
    pending: Vec<Change>,
    /// So many of them are never synced any more: their sync has failed.
    doomed: usize,
}

fn place(data: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if data.len() < at {
        data.extend(vec![0; at - data.len()]);
    }
    let within = bytes.len().min(data.len() - at);
    data[at..at + within].copy_from_slice(&bytes[..within]);
    data.extend_from_slice(&bytes[within..]);
}

impl Change {
    fn apply(&self, data: &mut Vec<u8>) {
        match self {
            Self::Write(at, bytes) => place(data, *at, bytes),
            Self::Cut(len) => data.resize(*len, 0),
        }
    }

    /// Writes each sector if the choice says so.
    fn tear(&self, data: &mut Vec<u8>, mut chooses: impl FnMut(usize) -> bool) {
        let Self::Write(at, bytes) = self else {
            return self.apply(data);
        };
        let mut from = 0;
        while from < bytes.len() {
            let sector = (at + from) / SECTOR;
            let to = ((sector + 1) * SECTOR - at).min(bytes.len());
            if chooses(sector) {
                place(data, at + from, &bytes[from..to]);
            }
            from = to;
        }
    }
}

impl Inode {
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        Self {
            durable: bytes.clone(),
            data: bytes,
            ..Self::default()
        }
    }

    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    pub(super) fn write(&mut self, at: u64, bytes: Vec<u8>) {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        place(&mut self.data, at, &bytes);
        self.pending.push(Change::Write(at, bytes));
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.data.resize(len, 0);
        self.pending.push(Change::Cut(len));
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(self.doomed..) {
            change.apply(&mut self.durable);
        }
    }

    /// The operating system takes what it could not write for written.
    pub(super) fn lose_sync(&mut self) {
        self.doomed = self.pending.len();
    }

    /// The file after the loss of power.
    ///
    /// A sector that was written several times has what it had at one moment since the last sync, each sector at its own.
    pub(super) fn image(&self, style: Style, chance: &mut Seeded) -> Self {
        let mut data = self.durable.clone();
        let all = self.pending.len() as u64;
        let keeps = match style {
            Style::Lose => return Self::holding(data),
            Style::Keep => all,
            Style::Mix => chance.below(all + 1),
        };
        // Either a clean prefix with a torn end, or every sector for itself.
        let is_wild = style == Style::Mix && chance.below(2) == 0;
        let (salt, mut torn) = (chance.number(), Seeded::new(chance.number()));
        for (number, change) in (0..).zip(&self.pending) {
            if is_wild {
                let until = |sector: usize| Seeded::new(salt ^ sector as u64).below(all + 1);
                change.tear(&mut data, |sector| number < until(sector));
            } else if number < keeps {
                change.apply(&mut data);
            } else if number == keeps {
                change.tear(&mut data, |_| torn.below(2) == 0);
            }
        }
        Self::holding(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(writes: &[(u64, u8, usize)]) -> Inode {
        let mut inode = Inode::holding(vec![0; 4 * SECTOR]);
        for (at, byte, len) in writes {
            inode.write(*at, vec![*byte; *len]);
        }
        inode
    }

    #[test]
    fn what_is_synced_stays_and_the_rest_is_lost_kept_or_torn_at_sectors() {
        let mut inode = written(&[(0, 1, SECTOR)]);
        inode.sync();
        inode.write(SECTOR as u64 + 100, vec![2; 2 * SECTOR]);
        let (mut lost, mut kept, mut torn) = (0, 0, 0);
        for seed in 0..200 {
            let image = inode.image(Style::Mix, &mut Seeded::new(seed));
            assert_eq!(image.data[..SECTOR + 100], inode.data[..SECTOR + 100]);
            let ends = [2 * SECTOR, 3 * SECTOR, 3 * SECTOR + 100];
            let first = image.data[SECTOR + 100];
            assert!(
                image.data[SECTOR + 100..ends[0]]
                    .iter()
                    .all(|byte| *byte == first)
            );
            match ends.map(|end| image.data[end - 1]) {
                [0, 0, 0] => lost += 1,
                [2, 2, 2] => kept += 1,
                _ => torn += 1,
            }
        }
        assert!(lost > 10 && kept > 10 && torn > 10, "{lost} {kept} {torn}");
    }

    #[test]
    fn what_a_failed_sync_was_to_write_is_not_written_by_the_next_one() {
        let mut inode = written(&[(0, 1, 8)]);
        inode.lose_sync();
        inode.write(SECTOR as u64, vec![2; 8]);
        inode.sync();
        let image = inode.image(Style::Lose, &mut Seeded::new(0));
        assert_eq!((image.data[0], image.data[SECTOR]), (0, 2));
        assert_eq!(inode.data[0], 1);
    }
}
