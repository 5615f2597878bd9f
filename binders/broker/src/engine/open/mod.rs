//! Opening a folder: the newest snapshot, then the journal behind it.

mod found;
mod replay;

use std::{
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
    journal::{Pool, Segments, Writer},
    options::{BrokerOptions, Durability},
    record::Change,
    socket::{self, Socket},
    storage::Storage,
};
use found::Found;

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
