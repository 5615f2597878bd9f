//! Making spare segments, a piece at a time.

use std::{
    io::{self, IoSlice},
    sync::Arc,
    time::{Duration, Instant},
};

use super::pool::Pool;
use crate::storage::File;

/// Bytes of zeros that are written and synced at a time: a sync of the journal waits for what the disk has to do for others.
const PIECE: u64 = 128 << 10;
/// After a piece, the disk is left alone for so many times as long as the piece took.
const REST: u32 = 16;
/// The shortest time that the disk is left alone.
const PAUSE: Duration = Duration::from_millis(2);

/// Makes spares as long as there are too few.
#[derive(Debug)]
pub(crate) struct Maker {
    pool: Arc<Pool>,
    draft: Option<Draft>,
}

/// A spare that is being made. A start removes what a crash leaves of it.
#[derive(Debug)]
struct Draft {
    name: String,
    file: Arc<dyn File>,
    /// Bytes that are written.
    len: u64,
}

impl Maker {
    /// For this pool.
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self { pool, draft: None }
    }

    /// Writes a piece; returns how long the disk is to be left alone then, if there is more to do.
    ///
    /// # Errors
    /// The disk refuses; what was made is removed then, as it takes the room of messages.
    pub(crate) fn work(&mut self) -> io::Result<Option<Duration>> {
        let begin = Instant::now();
        if let Err(error) = self.piece() {
            self.stop()?;
            return Err(error);
        }
        let is_done = self.draft.is_none() && !self.pool.is_short();
        Ok((!is_done).then(|| PAUSE.max(begin.elapsed() * REST)))
    }

    /// Removes what is not finished.
    pub(crate) fn stop(&mut self) -> io::Result<()> {
        match self.draft.take() {
            Some(draft) => self.pool.storage().remove(&draft.draft()),
            None => Ok(()),
        }
    }

    fn piece(&mut self) -> io::Result<()> {
        if self.draft.is_none() && !self.pool.is_short() {
            return Ok(());
        }
        let mut draft = match self.draft.take() {
            Some(draft) => draft,
            None => self.begin()?,
        };
        let len = PIECE.min(self.pool.segment() - draft.len);
        let zeros = vec![0; usize::try_from(len).unwrap_or(0)];
        let (file, at) = (draft.file.clone(), draft.len);
        draft.len += len;
        let draft = self.draft.insert(draft);
        file.write_at(&[IoSlice::new(&zeros)], at)?;
        file.sync()?;
        if draft.len == self.pool.segment() {
            self.pool.put(&draft.draft(), draft.name.clone())?;
            self.draft = None;
        }
        Ok(())
    }

    fn begin(&self) -> io::Result<Draft> {
        let name = self.pool.name();
        let file = self.pool.storage().create(&format!("{name}.draft"))?;
        Ok(Draft { name, file, len: 0 })
    }
}

impl Draft {
    fn draft(&self) -> String {
        format!("{}.draft", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{
        Storage,
        sim::{Disk, Fault},
    };

    const SEGMENT: u64 = 2 * PIECE + 4_096;

    fn maker(disk: &Disk) -> Maker {
        let storage = Arc::new(disk.clone());
        Maker::new(Arc::new(Pool::new(storage, SEGMENT, 2, Vec::new(), 1)))
    }

    #[test]
    fn spares_are_made_piece_by_piece_until_there_are_enough() {
        let disk = Disk::new();
        let mut maker = maker(&disk);
        let mut pieces = 1;
        while let Some(rest) = maker.work().unwrap() {
            assert!(rest >= PAUSE);
            pieces += 1;
        }
        assert_eq!(pieces, 6);
        assert_eq!(maker.work().unwrap(), None);
        let names = disk.names();
        assert_eq!(names.len(), 2);
        for name in names {
            assert!(Pool::number_of(&name).is_some(), "{name}");
            let bytes = disk.bytes(&name);
            assert_eq!(bytes.len() as u64, SEGMENT);
            assert!(bytes.iter().all(|byte| *byte == 0));
        }
        assert_eq!(disk.image(0).names().len(), 2, "they are durable");
    }

    #[test]
    fn what_is_not_finished_is_removed() {
        let disk = Disk::new();
        let mut maker = maker(&disk);
        maker.work().unwrap();
        assert!(disk.names()[0].ends_with(".draft"));
        maker.stop().unwrap();
        assert_eq!(disk.names(), [""; 0]);
        disk.fault(Fault::FullAtWrite(1));
        maker.work().unwrap();
        maker.work().unwrap_err();
        assert_eq!(disk.names(), [""; 0]);
        disk.list().unwrap();
        maker.work().unwrap();
        assert_eq!(disk.names().len(), 1, "and it is tried again");
    }
}
