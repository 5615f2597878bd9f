//! The machine's own limit: the same bytes written and synced, and nothing else.

use std::{fs::File, io, os::unix::fs::FileExt, time::Instant};

use tempfile::TempDir;

use crate::{Measured, folder::folder};

/// Bytes of a segment of the journal.
const SEGMENT: u64 = 64 << 20;
/// What 1,000 messages of 256 bytes take in the journal: a head for each of them, and one for the frame.
const BATCH: usize = 1_000 * (256 + 80) + 64;
/// What one of them takes.
const ONE: usize = 256 + 80 + 64;

/// 1,000 messages at a time on a file whose blocks exist.
pub(crate) fn limit(messages: u64) -> Measured {
    let batches = messages.div_ceil(1_000);
    let mut file = Recycled::of(BATCH)?;
    let begin = Instant::now();
    for _ in 0..batches {
        file.write()?;
    }
    let rate = (batches * 1_000) as f64 / begin.elapsed().as_secs_f64();
    Ok(vec![("disk_limit_256", rate)])
}

/// A file whose blocks exist, which is written from the beginning again when its end is reached.
#[derive(Debug)]
pub(crate) struct Recycled {
    file: File,
    block: Vec<u8>,
    at: u64,
    _folder: TempDir,
}

impl Recycled {
    /// For frames of one message.
    pub(crate) fn new() -> io::Result<Self> {
        Self::of(ONE)
    }

    fn of(bytes: usize) -> io::Result<Self> {
        let folder = folder()?;
        let file = File::create_new(folder.path().join("recycled"))?;
        let zeros = vec![0; 1 << 20];
        for at in (0..SEGMENT).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self {
            file,
            block: vec![7; bytes],
            at: 0,
            _folder: folder,
        })
    }

    /// Writes and syncs once.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        let len = self.block.len() as u64;
        if self.at + len > SEGMENT {
            self.at = 0;
        }
        self.file.write_all_at(&self.block, self.at)?;
        self.at += len;
        self.file.sync_data()
    }
}
