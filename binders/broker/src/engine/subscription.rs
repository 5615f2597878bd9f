//! Reading as a consumer.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use mq_core::{
    binder::{AssignedLane, LaneId, Record},
    error::{Error, Result},
    policy::Start,
};
use tokio::{sync::Notify, task::JoinHandle};

use super::{chunk::Chunk, shared::Shared};
use crate::{
    error,
    options::Durability,
    record::{self},
    state::{Ended, Joining, MemberKey, Pick, Taken},
};

/// A consumer's side of the state. Dropping it gives back at once what it has.
#[derive(Debug)]
pub(crate) struct Reading {
    shared: Arc<Shared>,
    key: MemberKey,
    notify: Arc<Notify>,
    /// What was picked and is not handed over yet: reading it was broken off, or it is not read.
    picked: VecDeque<Pick>,
    scratch: Vec<Pick>,
    /// What was read from a file last.
    chunk: Chunk,
    /// What is being read, and for the record at which position.
    loading: Option<(u64, JoinHandle<Result<Chunk>>)>,
}

/// What is to be read, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) destinations: &'a [Arc<str>],
    /// `None` is a group of its own, which leaves nothing behind.
    pub(crate) group: Option<&'a str>,
    pub(crate) start: Start,
    pub(crate) window: usize,
    pub(crate) lease: Option<Duration>,
}

impl Reading {
    /// Joins the group in each destination; both are created where they are missing.
    pub(crate) async fn open(
        shared: &Arc<Shared>,
        wanted: &Wanted<'_>,
    ) -> Result<(Self, Vec<AssignedLane>)> {
        let mut groups = Vec::new();
        for name in wanted.destinations {
            let route = shared.route(name).await?;
            let group = shared
                .group(route.id, wanted.group.unwrap_or_default(), wanted.start)
                .await?;
            groups.push((route.id, group));
        }
        let lease = wanted
            .lease
            .map(|lease| u64::try_from(lease.as_nanos()).unwrap_or(u64::MAX / 2));
        let joining = Joining {
            groups,
            window: wanted.window,
            lease,
        };
        let (key, notify, lanes) = shared.lock().join(&joining).ok_or_else(error::deleted)?;
        let reading = Self {
            shared: shared.clone(),
            key,
            notify,
            picked: VecDeque::new(),
            scratch: Vec::new(),
            chunk: Chunk::default(),
            loading: None,
        };
        Ok((reading, lanes))
    }

    /// What the consumer is called.
    pub(crate) fn key(&self) -> MemberKey {
        self.key
    }

    /// The broker.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Waits for messages and appends at most `max` of them; cancel-safe.
    ///
    /// # Errors
    /// The consumer has ended, or a message cannot be read from the disk.
    pub(crate) async fn receive(&mut self, records: &mut Vec<Record>, max: usize) -> Result<()> {
        let before = records.len();
        while records.len() == before {
            if self.picked.is_empty() {
                self.pick(max).await?;
            }
            let room = max.min(self.picked.len());
            self.recall(records, room);
            if records.len() > before {
                // Who is up to date needs no file.
                self.chunk = Chunk::default();
            } else {
                self.read(records, room).await?;
            }
        }
        Ok(())
    }

    /// Waits until there is something, and picks it.
    async fn pick(&mut self, max: usize) -> Result<()> {
        loop {
            let now = Shared::now();
            let taken = self
                .shared
                .lock()
                .take(self.key, &mut self.scratch, max.max(1), now);
            match taken {
                Taken::Some => {
                    self.picked.extend(self.scratch.drain(..));
                    return Ok(());
                }
                Taken::Nothing(None) => self.notify.notified().await,
                Taken::Nothing(Some(due)) => {
                    let wait = Duration::from_nanos(due.saturating_sub(now));
                    // Both ends of the wait mean the same: look again.
                    let _ = tokio::time::timeout(wait, self.notify.notified()).await;
                }
                Taken::Ended(ended) => return Err(self.ended(ended)),
            }
        }
    }

    fn ended(&self, ended: Ended) -> Error {
        match (self.shared.check(), ended) {
            (Err(error), _) => error,
            (Ok(()), Ended::Deleted) => error::deleted(),
            (Ok(()), Ended::Closed) => error::closed(),
        }
    }

    /// Hands over what is in memory.
    fn recall(&mut self, records: &mut Vec<Record>, room: usize) {
        let picks = self.picked.make_contiguous();
        let number = self.key.number;
        let mut bad = None;
        let count = self.shared.bodies.recall(&picks[..room], |pick, bytes| {
            match record(pick, number, &bytes) {
                Ok(record) => records.push(record),
                Err(error) => bad = Some(error),
            }
        });
        if let Some(error) = bad {
            tracing::error!(%error, "a message in memory is not what was written; please report it");
        }
        self.picked.drain(..count);
    }

    /// Hands over what files hold; what is picked stays picked when the future is dropped.
    async fn read(&mut self, records: &mut Vec<Record>, room: usize) -> Result<()> {
        let picks = &self.picked.make_contiguous()[..room];
        if self.chunk.is_poor(picks) || self.unpack(records, room)? == 0 {
            self.load(room).await?;
            self.unpack(records, room)?;
        }
        Ok(())
    }

    /// Reads the part of a file that the next messages are in; goes on with what a dropped future has begun.
    async fn load(&mut self, room: usize) -> Result<()> {
        let picks = &self.picked.make_contiguous()[..room];
        let Some(first) = picks.first().copied() else {
            return Ok(());
        };
        let loading = match &mut self.loading {
            Some(loading) => loading,
            None => {
                let len = self.chunk.next_len(picks);
                let (shared, old) = (self.shared.clone(), std::mem::take(&mut self.chunk));
                let read = move || shared.bodies.chunk(&first, len, old.into_buffer());
                self.loading
                    .insert((first.lsn, tokio::task::spawn_blocking(read)))
            }
        };
        let read = (&mut loading.1).await;
        let lsn = loading.0;
        self.loading = None;
        match read.map_err(|_| error::closed())? {
            Ok(chunk) => self.chunk = chunk,
            Err(error) if lsn == first.lsn => {
                // The others can be read; this one stays with the consumer, unsettled, until somebody looks at it.
                self.picked.pop_front();
                tracing::error!(%error, position = first.position, "a message cannot be read");
                return Err(error);
            }
            // It was for a message that is not wanted any more.
            Err(_) => {}
        }
        Ok(())
    }

    /// Hands over what is in the part that was read last, in order; returns how many messages that are.
    fn unpack(&mut self, records: &mut Vec<Record>, room: usize) -> Result<usize> {
        let mut count = 0;
        while count < room {
            let pick = self.picked[count];
            let Some(bytes) = self.chunk.record(&pick) else {
                break;
            };
            match record(&pick, self.key.number, &bytes) {
                Ok(record) => records.push(record),
                // Those before it first.
                Err(_) if count > 0 => break,
                Err(error) => {
                    self.picked.pop_front();
                    return Err(error);
                }
            }
            count += 1;
        }
        self.picked.drain(..count);
        Ok(count)
    }

    /// Hands over nothing of these lanes until they are resumed.
    pub(crate) fn pause(&self, lanes: &[LaneId]) {
        self.shared.lock().pause(self.key, lanes);
    }

    /// Hands over messages of these lanes again.
    pub(crate) fn resume(&self, lanes: &[LaneId]) {
        self.shared.lock().resume(self.key, lanes);
    }
}

/// A picked message with its body.
fn record(pick: &Pick, number: u32, bytes: &bytes::Bytes) -> Result<Record> {
    let message = record::decode(bytes).map_err(error::malformed)?;
    let mut record = Record::new(message, LaneId(pick.lane), pick.position);
    record.epoch = number;
    record.deliveries = Some(u32::from(pick.deliveries));
    if let Some(note) = pick.note {
        record.attempts = note.attempts;
        record.due = note.is_held.then(|| record::time(note.due));
    }
    Ok(record)
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.shared.leave(self.key);
    }
}

impl Shared {
    /// Takes a consumer out; what it has is handed out again.
    pub(crate) fn leave(&self, key: MemberKey) {
        let gone = self.lock().leave(key);
        if !gone.is_empty() {
            // An anonymous group that outlives its consumer is removed at the next start.
            drop(self.write(&gone, Durability::Os));
        }
    }

    /// The number of a group, which is created where it is missing; an empty name is a new anonymous one.
    pub(crate) async fn group(&self, destination: u32, name: &str, start: Start) -> Result<u32> {
        loop {
            let (id, change) = {
                let mut state = self.lock();
                let found = state
                    .destinations
                    .get(&destination)
                    .ok_or_else(error::deleted)?;
                if let Some(group) = found.group(name) {
                    return Ok(group);
                }
                state
                    .new_group(destination, name, start)
                    .ok_or_else(error::deleted)?
            };
            self.change(&[change]).await?;
            if name.is_empty() {
                return Ok(id);
            }
            // Somebody else may have created it first: look again.
        }
    }
}
