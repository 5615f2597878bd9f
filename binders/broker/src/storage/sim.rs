//! A disk in memory that loses, tears and reorders what was not synced, and fails on demand. For tests.
//!
//! Whatever changes the disk is an *operation*: create, rename, remove, write, cut, and both kinds of sync.
//! Operations are counted, so that a test can crash at each of them.

mod fault;
mod file;
mod inode;
mod seeded;
mod time;

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

pub use fault::Fault;
pub use seeded::Seeded;
pub use time::Time;

use super::{File, Storage};
use fault::Kind;
use file::Open;
use inode::Inode;

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    /// Tells syncs that they may go on.
    released: Condvar,
}

/// A change of names that is not synced.
#[derive(Clone, Debug)]
enum Rename {
    Set(String, usize),
    Move(String, String, usize),
    Remove(String),
}

#[derive(Debug, Default)]
struct Inner {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    /// Names as a crash would leave them for sure.
    durable: BTreeMap<String, usize>,
    pending: Vec<Rename>,
    operations: u64,
    crash_at: Option<u64>,
    faults: Vec<Fault>,
    is_locked: bool,
    /// Who has it, or had it last.
    note: Vec<u8>,
    /// Bytes that may still be allocated; without a limit by default.
    room: Option<u64>,
    /// Whether syncs of files wait.
    holds_syncs: bool,
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// The operation of this number and everything after it fails, as after the loss of power.
    pub fn crash_at(&self, operation: u64) {
        self.lock().crash_at = Some(operation);
    }

    /// Whether the operation at which it was to crash has come.
    #[must_use]
    pub fn is_crashed(&self) -> bool {
        self.lock().is_crashed()
    }

    /// Something is to go wrong.
    pub fn fault(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Faults that did not happen yet.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.lock().faults.clone()
    }

    /// Bytes by which files may still grow; `None` is without a limit.
    pub fn set_room(&self, room: Option<u64>) {
        self.lock().room = room;
    }

    /// Makes syncs of files wait, or lets them go on.
    pub fn hold_syncs(&self, hold: bool) {
        self.lock().holds_syncs = hold;
        self.0.released.notify_all();
    }

    /// What the loss of power leaves, by seed.
    ///
    /// What was not synced is kept, lost or torn at sectors of 512 bytes; names likewise.
    /// Seed 0 loses all of it and seed 1 keeps all of it; other seeds mix.
    #[must_use]
    pub fn image(&self, seed: u64) -> Self {
        let inner = self.lock();
        let mut chance = Seeded::new(seed);
        let style = match seed {
            0 => Style::Lose,
            1 => Style::Keep,
            _ => Style::Mix,
        };
        let mut names = inner.durable.clone();
        for rename in &inner.pending {
            let is_kept = style == Style::Keep || (style == Style::Mix && chance.below(2) == 0);
            if is_kept {
                rename.apply(&mut names);
            }
        }
        let inodes = inner.inodes.iter();
        let inodes: Vec<_> = inodes
            .map(|inode| inode.image(style, &mut chance))
            .collect();
        Self::of(names, inodes)
    }

    /// What the end of the process leaves: everything, but what was not synced may still be lost.
    #[must_use]
    pub fn killed(&self) -> Self {
        let inner = self.lock();
        let disk = Self::of(inner.names.clone(), inner.inodes.clone());
        let mut copy = disk.lock();
        copy.durable = inner.durable.clone();
        copy.pending = inner.pending.clone();
        drop(copy);
        disk
    }

    fn of(names: BTreeMap<String, usize>, inodes: Vec<Inode>) -> Self {
        let inner = Inner {
            inodes,
            durable: names.clone(),
            names,
            ..Inner::default()
        };
        Self(Arc::new(Shared {
            inner: Mutex::new(inner),
            released: Condvar::new(),
        }))
    }

    /// The names of all files, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }

    /// What a file holds; nothing if it is not there.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let inner = self.lock();
        let found = inner.names.get(name).map(|id| &inner.inodes[*id]);
        found.map_or_else(Vec::new, |inode| inode.data().to_vec())
    }

    /// Puts a file there, durably, as an administrator or a failing disk would.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut inner = self.lock();
        let id = inner.inodes.len();
        inner.inodes.push(Inode::holding(bytes));
        inner.names.insert(name.to_owned(), id);
        inner.durable.insert(name.to_owned(), id);
    }

    /// Takes a file away, durably.
    pub fn take(&self, name: &str) {
        let mut inner = self.lock();
        inner.names.remove(name);
        inner.durable.remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Lose,
    Keep,
    Mix,
}

impl Rename {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Set(name, id) => drop(names.insert(name.clone(), *id)),
            Self::Remove(name) => drop(names.remove(name)),
            Self::Move(from, to, id) => {
                names.remove(from);
                names.insert(to.clone(), *id);
            }
        }
    }
}

impl Inner {
    fn is_crashed(&self) -> bool {
        self.crash_at.is_some_and(|at| self.operations > at)
    }

    fn check(&self) -> io::Result<()> {
        if self.is_crashed() {
            return Err(io::Error::other("the disk is gone"));
        }
        Ok(())
    }

    /// Counts an operation; an error is what it meets.
    fn begin(&mut self, kind: Kind) -> io::Result<()> {
        self.check()?;
        self.operations += 1;
        self.check()?;
        let mut met = None;
        self.faults.retain_mut(|fault| match fault.count(kind) {
            None => true,
            Some(error) => {
                met = Some(error);
                false
            }
        });
        met.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn rename(&mut self, rename: Rename) {
        rename.apply(&mut self.names);
        self.pending.push(rename);
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names
            .get(name)
            .copied()
            .ok_or(ErrorKind::NotFound.into())
    }

    /// Takes room for a file that grows.
    fn grow(&mut self, bytes: u64) -> io::Result<()> {
        match &mut self.room {
            Some(room) if *room < bytes => Err(ErrorKind::StorageFull.into()),
            Some(room) => {
                *room -= bytes;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Storage for Disk {
    fn lock(&self) -> io::Result<()> {
        let mut inner = Self::lock(self);
        inner.check()?;
        let refused = inner.faults.iter().position(|fault| *fault == Fault::Lock);
        if let Some(index) = refused {
            inner.faults.remove(index);
            return Err(ErrorKind::WouldBlock.into());
        }
        if inner.is_locked {
            return Err(ErrorKind::WouldBlock.into());
        }
        inner.is_locked = true;
        Ok(())
    }

    fn unlock(&self) {
        Self::lock(self).is_locked = false;
    }

    fn note(&self) -> io::Result<Vec<u8>> {
        Ok(Self::lock(self).note.clone())
    }

    fn set_note(&self, note: &[u8]) -> io::Result<()> {
        let mut inner = Self::lock(self);
        inner.check()?;
        inner.note = note.to_vec();
        Ok(())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let inner = Self::lock(self);
        inner.check()?;
        let id = inner.find(name)?;
        Ok(Arc::new(Open(self.clone(), id)))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut inner = Self::lock(self);
        inner.begin(Kind::Create)?;
        let id = inner.inodes.len();
        inner.inodes.push(Inode::default());
        inner.rename(Rename::Set(name.to_owned(), id));
        Ok(Arc::new(Open(self.clone(), id)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = Self::lock(self);
        inner.begin(Kind::Rename)?;
        let id = inner.find(from)?;
        inner.rename(Rename::Move(from.to_owned(), to.to_owned(), id));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = Self::lock(self);
        inner.begin(Kind::Other)?;
        let id = inner.find(name)?;
        let freed = inner.inodes[id].data().len() as u64;
        inner.room = inner.room.map(|room| room + freed);
        inner.rename(Rename::Remove(name.to_owned()));
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let inner = Self::lock(self);
        inner.check()?;
        Ok(inner.names.keys().cloned().collect())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = Self::lock(self);
        inner.begin(Kind::Other)?;
        inner.pending.clear();
        inner.durable = inner.names.clone();
        Ok(())
    }

    fn free(&self) -> io::Result<u64> {
        let inner = Self::lock(self);
        inner.check()?;
        Ok(inner.room.unwrap_or(1 << 40))
    }
}
