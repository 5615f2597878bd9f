//! The keeper: a thread that writes snapshots, makes spare segments and takes back old ones.

use std::{
    io::{self, IoSlice},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use super::{block::block_on, shared::Shared};
use crate::{
    journal::{self, Maker},
    options::Durability,
    record::Change,
};

/// How often it looks without being told.
const LOOK: Duration = Duration::from_secs(1);
/// Spares are made once the journal has so many bytes: a small one does not need them.
const SPARES_FROM: u64 = 8 << 20;
/// While more bytes a second are written than this, no spares are made: what large frames gain from them is less than they cost.
const BUSY: u64 = 16 << 20;
/// There are at least so many bytes of journal to a byte of snapshot, so that a long backlog does not make messages dear.
const JOURNAL: u64 = 4;
/// Looking at a message costs a snapshot as much as so many of its bytes.
const LOOKED: u64 = 32;
/// Bytes of a snapshot that are written and synced at a time.
const PIECE: usize = 256 << 10;
/// After a piece, the disk is left alone for so many times as long as the piece took.
const REST: u32 = 8;
/// Segments behind the snapshot in which messages for replays may stay.
const REPLAYS: u64 = 2;
/// A change that changes nothing: there is no destination 0.
const NOTHING: Change = Change::Delete { destination: 0 };

/// The name of a snapshot.
pub(super) fn name(lsn: u64) -> String {
    format!("{lsn:020}.snapshot")
}

/// The position of the snapshot in this file, if it is one.
pub(super) fn lsn_of(name: &str) -> Option<u64> {
    name.strip_suffix(".snapshot")?.parse().ok()
}

/// What the keeper is told.
#[derive(Debug)]
pub(super) enum News {
    /// There may be something to do.
    Look,
    /// A snapshot is wanted now, and an answer.
    Checkpoint(SyncSender<io::Result<()>>),
}

/// Where snapshots are, newest last.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    snapshots: Vec<u64>,
    last: Instant,
    first: u64,
    /// Where the journal ended behind the last snapshot: nothing has changed since.
    seen: u64,
    /// Bytes of the last snapshot, or what its messages count.
    size: u64,
    pace: Pace,
    maker: Maker,
    /// When the next piece of a spare is to be made, if any is wanted.
    make: Option<Instant>,
}

/// How fast the journal grows.
#[derive(Debug)]
struct Pace {
    since: Instant,
    lsn: u64,
    is_busy: bool,
}

impl Pace {
    /// Looks at where the journal ends; a look counts once a second.
    fn look(&mut self, lsn: u64) {
        let passed = self.since.elapsed();
        if passed >= LOOK {
            self.is_busy = u128::from(lsn.saturating_sub(self.lsn)) * 1_000
                > u128::from(BUSY) * passed.as_millis();
            self.since = Instant::now();
            self.lsn = lsn;
        }
    }
}

impl Keeper {
    /// With the snapshots that are there, oldest first.
    pub(super) fn new(shared: Arc<Shared>, snapshots: Vec<u64>) -> Self {
        let first = shared.lock().lsn;
        Self {
            maker: Maker::new(shared.pool.clone()),
            make: None,
            shared,
            snapshots,
            last: Instant::now(),
            first,
            seen: 0,
            size: 0,
            pace: Pace {
                since: Instant::now(),
                lsn: first,
                // Until a second has shown otherwise.
                is_busy: true,
            },
        }
    }

    /// Runs until the broker is closed.
    pub(super) fn run(mut self, news: &Receiver<News>) {
        let mut look = Instant::now() + LOOK;
        while !self.shared.gather.is_closed() {
            let next = self.make.map_or(look, |make| make.min(look));
            let is_told = match news.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(News::Checkpoint(answer)) => {
                    self.clean();
                    // Who asked may be gone.
                    let _gone = answer.send(self.snapshot());
                    false
                }
                Ok(News::Look) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if is_told || look <= Instant::now() {
                self.look();
                look = Instant::now() + LOOK;
            }
            if self.make.is_some_and(|make| make <= Instant::now()) {
                self.make();
            }
        }
        if let Err(error) = self.maker.stop() {
            tracing::warn!(%error, "a spare segment that is not finished could not be removed; the next start removes it");
        }
    }

    /// Writes the last snapshot, after the journal's thread has ended.
    pub(super) fn finish(shared: &Shared) {
        if shared.failure().is_some() {
            return;
        }
        let (lsn, bytes) = {
            let state = shared.lock();
            (state.lsn, state.snapshot())
        };
        if let Err(error) = write(shared, lsn, &bytes, |_| {}) {
            tracing::warn!(%error, "no snapshot could be written; the next start reads the journal instead");
        } else if let Err(error) = tidy(shared) {
            tracing::warn!(%error, "what is not needed any more could not be taken back; the next start goes on with it");
        }
    }

    /// Looks at the room of the disk, and takes out messages whose time is up.
    fn clean(&self) -> u64 {
        let (free, shared) = (self.watch(), &self.shared);
        if let Err(error) = shared.expire().and_then(|()| shared.age()) {
            tracing::warn!(%error, "messages whose time is up could not be taken out; it is tried again");
        }
        free
    }

    fn look(&mut self) {
        let free = self.clean();
        let shared = &self.shared;
        let lsn = shared.lock().lsn;
        let newest = self.snapshots.last().copied().unwrap_or(0);
        let bytes = lsn.saturating_sub(newest.max(self.seen));
        let options = &shared.options;
        let due = bytes >= options.snapshot_bytes.max(self.size * JOURNAL)
            || (bytes > 0 && self.last.elapsed() >= options.snapshot_interval);
        if due && let Err(error) = self.snapshot() {
            tracing::warn!(%error, "no snapshot could be written; it is tried again");
            self.last = Instant::now();
        }
        self.pace.look(lsn);
        let spares = !self.pace.is_busy
            && lsn - self.first.min(lsn) >= SPARES_FROM.min(self.shared.options.segment)
            && free > self.shared.options.reserve + self.shared.options.segment;
        self.make = spares.then(|| self.make.unwrap_or_else(Instant::now));
    }

    /// Writes a piece of a spare segment.
    fn make(&mut self) {
        self.make = match self.maker.work() {
            Ok(rest) => rest.map(|rest| Instant::now() + rest),
            Err(error) => {
                tracing::warn!(%error, "no spare segment could be made");
                None
            }
        };
    }

    /// Looks at the room of the disk.
    fn watch(&self) -> u64 {
        let shared = &self.shared;
        let free = shared.storage.free().unwrap_or(u64::MAX);
        shared.room.set(free);
        free
    }

    fn snapshot(&mut self) -> io::Result<()> {
        self.last = Instant::now();
        let (lsn, bytes, looked) = {
            let state = self.shared.lock();
            (state.lsn, state.snapshot(), state.laid_out())
        };
        self.size = (bytes.len() as u64).max(looked * LOOKED);
        // What the snapshot speaks of must be durable before it is.
        let barrier = self.shared.write(&[NOTHING], Durability::Commit);
        let durable = barrier.and_then(|ticket| block_on(ticket.wait()).map(|_| ()));
        durable.map_err(io::Error::other)?;
        let rest = |rest| {
            if !self.shared.gather.is_closed() {
                thread::park_timeout(rest);
                self.watch();
            }
        };
        write(&self.shared, lsn, &bytes, rest)?;
        if self.snapshots.last() != Some(&lsn) {
            self.snapshots.push(lsn);
        }
        while self.snapshots.len() > 2 {
            self.shared
                .storage
                .remove(&name(self.snapshots.remove(0)))?;
        }
        self.free_space()?;
        // The snapshot's own frames are no reason for the next one.
        self.seen = self.shared.lock().lsn;
        Ok(())
    }

    /// Takes back segments that no snapshot and no message needs.
    fn free_space(&self) -> io::Result<()> {
        let shared = &self.shared;
        let before = needed(&self.snapshots) / shared.segments.size();
        let trims = shared.lock().trims(before.saturating_sub(REPLAYS));
        if !trims.is_empty() {
            let trim = |(destination, partition, to)| Change::Trim {
                destination,
                partition,
                to,
            };
            let changes: Vec<_> = trims.into_iter().map(trim).collect();
            let written = shared.write(&changes, Durability::Os);
            let written = written.and_then(|ticket| block_on(ticket.wait()).map(drop));
            if let Err(error) = written {
                tracing::warn!(%error, "what is kept for replays holds up disk space; it is tried again");
            }
        }
        take_back(shared, before)
    }
}

/// Where recovery may have to begin: with the older snapshot, or with the journal's first frame where there is none yet.
fn needed(snapshots: &[u64]) -> u64 {
    match snapshots {
        [older, _, ..] => *older,
        _ => 0,
    }
}

/// Takes back the segments before `before` in which nothing is kept.
fn take_back(shared: &Shared, before: u64) -> io::Result<()> {
    let numbers = shared.segments.numbers();
    let free = shared.lock().free_segments(&numbers, before);
    for number in free {
        shared.segments.remove(number);
        let name = journal::name(number, shared.segments.size());
        shared.pool.give_back(&name)?;
    }
    Ok(())
}

/// After the last snapshot: removes all but two, and takes back segments.
fn tidy(shared: &Shared) -> io::Result<()> {
    let names = shared.storage.list()?;
    let mut snapshots: Vec<u64> = names.iter().filter_map(|name| lsn_of(name)).collect();
    snapshots.sort_unstable();
    let newest = snapshots.split_off(snapshots.len().saturating_sub(2));
    for lsn in snapshots {
        shared.storage.remove(&name(lsn))?;
    }
    let oldest = needed(&newest);
    take_back(shared, oldest / shared.segments.size())
}

/// Writes a snapshot under a name of its own, and gives it its name when it is durable; lets the disk rest after each piece of a long one.
fn write(
    shared: &Shared,
    lsn: u64,
    bytes: &[u8],
    mut rest: impl FnMut(Duration),
) -> io::Result<()> {
    let name = name(lsn);
    let draft = format!("{name}.draft");
    let file = shared.storage.create(&draft)?;
    let mut at = 0;
    for piece in bytes.chunks(PIECE) {
        let begin = Instant::now();
        file.write_at(&[IoSlice::new(piece)], at)?;
        file.sync()?;
        at += piece.len() as u64;
        if at < bytes.len() as u64 {
            rest(begin.elapsed() * REST);
        }
    }
    shared.storage.rename(&draft, &name)?;
    shared.storage.sync()
}
