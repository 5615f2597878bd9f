//! Opening a folder: the newest snapshot, then the journal behind it.

use std::{
    io,
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use mq_core::error::Result;

use super::{
    block::block_on,
    keeper::{self, Keeper},
    lock, mark,
    shared::Shared,
    thread,
};
use crate::{
    error,
    format::FORMAT,
    journal::{
        self, Damage, Pool, Reader, Scanned, SegmentHeader, Segments, Writer, frame::ALIGN,
        holds_frames, name, number_of,
    },
    options::{BrokerOptions, Durability},
    record::{Change, Malformed},
    socket::{self, Socket},
    state::{Invalid, State},
    storage::Storage,
};

/// A broker with its threads.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) shared: Arc<Shared>,
    journal: Option<JoinHandle<()>>,
    keeper: Option<JoinHandle<()>>,
    /// Where the journal ended when it was opened, and where the next frame went.
    opened: (u64, u64),
    /// Where the last orderly stop was.
    mark: Option<u64>,
    /// What a second process can ask.
    socket: Option<Socket>,
}

impl Running {
    /// Opens the folder; blocks on the disk.
    pub(crate) fn open(
        storage: &Arc<dyn Storage>,
        options: BrokerOptions,
        path: &Path,
    ) -> Result<Self> {
        check(&options)?;
        lock::take(&**storage, path)?;
        let started = Self::start(storage.clone(), options);
        if started.is_err() {
            storage.unlock();
        }
        started.map_err(|error| error.context("path", path.display()))
    }

    fn start(storage: Arc<dyn Storage>, options: BrokerOptions) -> Result<Self> {
        let found = Found::look(&*storage, options.segment)?;
        let mark = mark::read(&*storage)?;
        let (state, snapshots) = found.snapshot(&*storage)?;
        let (state, scanned) = found.replay(&*storage, state, mark, options.repair)?;
        let synced = found.sync(&*storage);
        synced.map_err(|error| error::io("syncing the journal", error))?;
        let segments = Arc::new(Segments::new(found.size));
        for (header, file) in found.segments {
            segments.add(header.number, file);
        }
        let pool = Arc::new(Pool::new(
            storage.clone(),
            found.size,
            options.spares,
            found.spares,
            found.epoch + 1,
        ));
        let writer = Writer::new(
            storage.clone(),
            segments.clone(),
            pool.clone(),
            scanned.tail,
        );
        let mut state = state;
        let crashed = scanned.end > 0 && mark != Some(scanned.end);
        if crashed {
            state.suspect();
        }
        let mut beginning = state.orphans();
        beginning.extend(state.ended(crashed));
        let (sender, news) = mpsc::sync_channel(1);
        let shared = Arc::new(Shared::new(options, storage, segments, pool, state, sender));
        let (own, keeper) = (shared.clone(), Keeper::new(shared.clone(), snapshots));
        if !scanned.damage.is_empty() {
            // From here on, nobody has to read over the damage again.
            Keeper::finish(&shared);
            leave_mark(&shared, None, scanned.end);
        }
        let mut running = Self {
            shared: shared.clone(),
            journal: Some(spawn("mq-journal", move || thread::run(&own, writer))?),
            keeper: None,
            opened: (scanned.end, scanned.tail.lsn),
            mark: mark.filter(|_| scanned.damage.is_empty()),
            socket: None,
        };
        running.keeper = Some(spawn("mq-keeper", move || keeper.run(&news))?);
        running.begin(&beginning)?;
        Ok(running)
    }

    /// Serves the socket of the folder, and says in the lock where it is, or why there is none.
    pub(crate) fn serve(&mut self, folder: &Path) {
        let opened = Socket::open(&self.shared, folder);
        let said = opened.as_ref().map(|_| socket::FILE);
        lock::announce(&*self.shared.storage, said.map_err(String::as_str));
        match opened {
            Ok(socket) => self.socket = Some(socket),
            Err(reason) => {
                tracing::warn!(%reason, "the broker serves no socket: other processes cannot look at it");
            }
        }
    }

    /// Writes down what follows from a new process.
    fn begin(&self, changes: &[Change]) -> Result<()> {
        let shared = &self.shared;
        if !changes.is_empty() {
            let ticket = shared.write(changes, Durability::Os)?;
            block_on(ticket.wait())?;
        }
        let memory = shared.lock().memory.len();
        if memory > 0 {
            tracing::warn!(
                destinations = memory,
                "destinations are in memory: what they held when the last process ended is lost"
            );
            // New messages must not get positions of lost ones.
            let ticket = shared.write(&[Change::Boot], Durability::Commit)?;
            block_on(ticket.wait())?;
        }
        Ok(())
    }

    /// Writes what is gathered, ends the threads and gives the folder back; blocks on the disk.
    pub(crate) fn close(&mut self, snapshot: bool) {
        drop(self.socket.take());
        self.shared.gather.close();
        if let Some(journal) = self.journal.take() {
            join(journal);
            // The keeper looks at the end of its wait, or now.
            let _full = self.shared.keeper.try_send(keeper::News::Look);
            if let Some(keeper) = self.keeper.take() {
                join(keeper);
            }
            if snapshot {
                Keeper::finish(&self.shared);
            }
            let lsn = self.shared.lock().lsn;
            // A new segment counts from its first frame on.
            let end = if lsn == self.opened.1 {
                self.opened.0
            } else {
                lsn
            };
            leave_mark(&self.shared, self.mark, end);
            self.shared.lock().end_all();
            self.shared.storage.unlock();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.close(false);
    }
}

/// Marks an orderly stop, unless the mark that is there says the same.
fn leave_mark(shared: &Shared, last: Option<u64>, end: u64) {
    if shared.failure().is_some() || end == 0 || last == Some(end) {
        return;
    }
    if let Err(error) = mark::write(&*shared.storage, end) {
        tracing::warn!(%error, "the end of the journal could not be marked; the next start takes damage of the last frame for one that was being written");
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder
        .spawn(run)
        .map_err(|error| error::io("starting a thread", error))
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the broker has panicked; please report it");
    }
}

fn check(options: &BrokerOptions) -> Result<()> {
    if !(1 << 16..=1 << 30).contains(&options.segment) || !options.segment.is_multiple_of(4_096) {
        return Err(error::config(
            "a segment has 64 KiB to 1 GiB, in steps of 4 KiB; change `segment`",
        ));
    }
    if options.max_message > options.segment / 2 {
        return Err(error::config(
            "a message has at most half a segment; raise `segment` or lower `max_message`",
        ));
    }
    Ok(())
}

/// What a folder holds.
struct Found {
    size: u64,
    epoch: u64,
    segments: Vec<(SegmentHeader, Arc<dyn crate::storage::File>)>,
    spares: Vec<String>,
    /// Oldest first.
    snapshots: Vec<u64>,
    /// Files that are named as segments and are none, with their headers where these are sound.
    strays: Vec<(String, Option<SegmentHeader>)>,
    /// A file of a later version, with its format.
    newer: Option<(String, u8)>,
    /// Segments of the format before this one: nothing is added to them.
    older: Vec<u64>,
}

impl Found {
    fn look(storage: &dyn Storage, size: u64) -> Result<Self> {
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
    fn snapshot(&self, storage: &dyn Storage) -> Result<(State, Vec<u64>)> {
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

    /// Applies the journal behind the snapshot.
    fn replay(
        &self,
        storage: &dyn Storage,
        mut state: State,
        mark: Option<u64>,
        repair: bool,
    ) -> Result<(State, Scanned)> {
        let mut reader = Reader::new(self.size);
        for (header, file) in &self.segments {
            reader.add(*header, file.clone());
        }
        let mut damage = self.gaps(&state)?;
        if state.lsn == 0 && reader.first().is_some_and(|first| first > 0) {
            damage.push(self.all_of(0));
            state.is_shifted = true;
        }
        let (lsn, crc) = (state.lsn, state.crc);
        let scanned = reader.scan(lsn, crc, |header, body, is_behind_damage| {
            state.is_shifted |= is_behind_damage;
            state
                .apply(header, body)
                .map(drop)
                .map_err(ReplayError::Malformed)
        });
        let mut scanned = scanned.map_err(|error| match error {
            ReplayError::Io(error) => error::io("reading the journal", error),
            ReplayError::Malformed(malformed) => error::malformed(malformed),
        })?;
        damage.append(&mut scanned.damage);
        let last = scanned.tail.lsn.checked_sub(1).map(|end| end / self.size);
        damage.extend(self.strays_behind(storage, last)?);
        damage.extend(self.short_of(mark, scanned.tail.lsn));
        for damage in &damage {
            self.damaged(damage, repair)?;
        }
        scanned.damage = damage;
        scanned.end = scanned.tail.lsn;
        let last = scanned.tail.lsn / self.size;
        if self.segment(last).is_none() || self.older.contains(&last) {
            // What is written next begins a segment.
            scanned.tail.lsn = scanned.tail.lsn.next_multiple_of(self.size);
        }
        state.is_shifted = false;
        if scanned.torn {
            tracing::warn!(
                lsn = scanned.tail.lsn,
                "the end of the journal was being written when the broker ended; it is left out"
            );
        }
        state.lsn = scanned.tail.lsn;
        state.crc = scanned.tail.crc;
        Ok((state, scanned))
    }

    /// Makes durable what an earlier process has written and not synced: what follows builds on it.
    fn sync(&self, storage: &dyn Storage) -> io::Result<()> {
        if let Some((_, file)) = self.segments.iter().max_by_key(|(header, _)| header.number) {
            file.sync()?;
            storage.sync()?;
        }
        Ok(())
    }

    fn segment(&self, number: u64) -> Option<&Arc<dyn crate::storage::File>> {
        let mut all = self.segments.iter();
        let found = all.find(|(header, _)| header.number == number);
        found.map(|(_, file)| file)
    }

    fn all_of(&self, number: u64) -> Damage {
        Damage {
            file: name(number, self.size),
            offset: 0,
        }
    }

    /// What the snapshot builds on and is not there.
    fn gaps(&self, state: &State) -> Result<Vec<Damage>> {
        let numbers = self.segments.iter().map(|(header, _)| header.number);
        let missing = state.missing(&numbers.collect::<Vec<_>>());
        let mut gaps: Vec<_> = missing
            .map(|number| self.all_of(number))
            .into_iter()
            .collect();
        let (number, used) = (state.lsn / self.size, state.lsn % self.size);
        if used == 0 {
            return Ok(gaps);
        }
        let Some(file) = self.segment(number) else {
            gaps.push(self.all_of(number));
            return Ok(gaps);
        };
        let offset = file
            .size()
            .map_err(|error| error::io("reading the journal", error))?;
        // The next frame begins a little behind the last one.
        if offset.next_multiple_of(ALIGN) < used {
            let file = name(number, self.size);
            gaps.push(Damage { file, offset });
        }
        Ok(gaps)
    }

    /// Files behind the end of the journal that hold a part of it and cannot be read as such.
    ///
    /// A new segment has frames only when its header is durable: what a crash leaves of one that was being begun has none.
    fn strays_behind(&self, storage: &dyn Storage, last: Option<u64>) -> Result<Vec<Damage>> {
        let is_behind = |number: u64| last.is_none_or(|last| number > last);
        let mut damage = Vec::new();
        for (name, header) in &self.strays {
            let holds = match (header, number_of(name, self.size)) {
                (Some(header), _) => header.size == self.size && is_behind(header.number),
                (None, Some(number)) if is_behind(number) => {
                    let held = storage.open(name);
                    let held = held.and_then(|file| holds_frames(&*file, number * self.size));
                    held.map_err(|error| error::io("reading the journal", error))?
                }
                (None, _) => false,
            };
            if holds {
                let file = name.clone();
                damage.push(Damage { file, offset: 0 });
            }
        }
        Ok(damage)
    }

    /// What is missing of a journal that was durable up to a mark.
    fn short_of(&self, mark: Option<u64>, end: u64) -> Option<Damage> {
        let mark = mark.filter(|mark| *mark > end)?;
        let last = (mark - 1) / self.size;
        if self.segment(last).is_none() {
            return Some(self.all_of(last));
        }
        Some(Damage {
            file: name(end / self.size, self.size),
            offset: end % self.size,
        })
    }

    fn damaged(&self, damage: &Damage, repair: bool) -> Result<()> {
        if !repair {
            return Err(error::damaged(&damage.file, damage.offset));
        }
        tracing::error!(
            file = damage.file,
            offset = damage.offset,
            segments = self.segments.len(),
            "a part of the journal cannot be read; going on without it, as `repair` says"
        );
        Ok(())
    }
}

enum ReplayError {
    Io(io::Error),
    Malformed(Malformed),
}

impl From<io::Error> for ReplayError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
