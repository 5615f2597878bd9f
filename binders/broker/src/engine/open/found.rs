//! What a folder holds: segments, spares, snapshots, and files that are none of them.

use std::{io, sync::Arc};

use mq_core::error::Result;

use crate::{
    engine::keeper,
    error,
    format::FORMAT,
    journal::{self, Pool, SegmentHeader, number_of},
    state::{Invalid, State},
    storage::{File, Storage},
};

/// What a folder holds.
pub(super) struct Found {
    pub(super) size: u64,
    pub(super) epoch: u64,
    pub(super) segments: Vec<(SegmentHeader, Arc<dyn File>)>,
    pub(super) spares: Vec<String>,
    /// Oldest first.
    pub(super) snapshots: Vec<u64>,
    /// Files that are named as segments and are none, with their headers where these are sound.
    pub(super) strays: Vec<(String, Option<SegmentHeader>)>,
    /// A file of a later version, with its format.
    pub(super) newer: Option<(String, u8)>,
    /// Segments of the format before this one: nothing is added to them.
    pub(super) older: Vec<u64>,
}

impl Found {
    pub(super) fn look(storage: &dyn Storage, size: u64) -> Result<Self> {
        let fail = |error| error::io("reading the folder", error);
        let mut found = Self {
            size,
            epoch: 0,
            segments: Vec::new(),
            spares: Vec::new(),
            snapshots: Vec::new(),
            strays: Vec::new(),
            newer: None,
            older: Vec::new(),
        };
        let mut names = storage.list().map_err(fail)?;
        names.sort_unstable();
        for name in names {
            found.add(storage, name).map_err(fail)?;
        }
        match &found.newer {
            Some((file, format)) => Err(error::newer(file, u32::from(*format))),
            None => Ok(found),
        }
    }

    fn add(&mut self, storage: &dyn Storage, name: String) -> io::Result<()> {
        if let Some(lsn) = keeper::lsn_of(&name) {
            self.snapshots.push(lsn);
        } else if let Some(number) = Pool::number_of(&name) {
            self.epoch = self.epoch.max(number);
            let found = SegmentHeader::read(&*storage.open(&name)?)?;
            let header = found.and_then(journal::Found::header);
            self.epoch = self.epoch.max(header.map_or(0, |header| header.epoch));
            self.spares.push(name);
        } else if name.ends_with(".journal") {
            self.add_segment(storage, &name)?;
        } else if name.ends_with(".draft") {
            storage.remove(&name)?;
        }
        Ok(())
    }

    fn add_segment(&mut self, storage: &dyn Storage, name: &str) -> io::Result<()> {
        let file = storage.open(name)?;
        let header = match SegmentHeader::read(&*file)? {
            Some(journal::Found::Newer(format)) => {
                self.newer = Some((name.to_owned(), format));
                None
            }
            Some(journal::Found::Header(header, format)) => {
                if format < FORMAT {
                    self.older.push(header.number);
                }
                Some(header)
            }
            None => None,
        };
        // A file under a wrong name, or without a sound header, is damage if the journal needs it.
        if let Some(header) = header
            && (header.size == self.size || self.segments.is_empty())
            && number_of(name, header.size) == Some(header.number)
        {
            self.size = header.size;
            self.epoch = self.epoch.max(header.epoch);
            self.segments.push((header, file));
        } else {
            self.strays.push((name.to_owned(), header));
        }
        Ok(())
    }

    /// The state of the newest sound snapshot, and where the sound ones are.
    pub(super) fn snapshot(&self, storage: &dyn Storage) -> Result<(State, Vec<u64>)> {
        let mut sound = self.snapshots.clone();
        while let Some(lsn) = sound.last().copied() {
            let name = keeper::name(lsn);
            let fail = |error| error::io("reading a snapshot", error);
            let file = storage.open(&name).map_err(fail)?;
            let size = usize::try_from(file.size().map_err(fail)?).unwrap_or(usize::MAX);
            let mut bytes = vec![0; size];
            let read = file.read_at(&mut bytes, 0).map_err(fail)?;
            match State::restore(&bytes[..read], self.size) {
                Ok(state) => return Ok((state, sound)),
                Err(Invalid::Newer(format)) => return Err(error::newer(&name, u32::from(format))),
                Err(Invalid::Damaged(reason)) => {
                    tracing::warn!(
                        snapshot = name,
                        reason,
                        "a snapshot is damaged; an older one is used"
                    );
                    sound.pop();
                }
            }
        }
        Ok((State::new(self.size), sound))
    }

    /// Makes durable what an earlier process has written and not synced: what follows builds on it.
    pub(super) fn sync(&self, storage: &dyn Storage) -> io::Result<()> {
        if let Some((_, file)) = self.segments.iter().max_by_key(|(header, _)| header.number) {
            file.sync()?;
            storage.sync()?;
        }
        Ok(())
    }

    pub(super) fn segment(&self, number: u64) -> Option<&Arc<dyn File>> {
        let mut all = self.segments.iter();
        let found = all.find(|(header, _)| header.number == number);
        found.map(|(_, file)| file)
    }
}
