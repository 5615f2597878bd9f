//! Reading as a consumer.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use mq_core::{
    binder::{Action, AssignedLane, LaneId, Record, SettleError, Settlement},
    error::{Error, Result},
};
use tokio::{sync::Notify, task::JoinHandle};

use super::{
    chunk::Chunk,
    commit::Ticket,
    epochs::Epochs,
    join::{Wanted, wanted_mode},
    shared::Shared,
};
use crate::{
    error,
    options::Durability,
    record::{self, FLEETING},
    state::{Ended, Joining, MemberKey, Pick, Taken, Turn},
};

/// A consumer's side of the state. Dropping it gives back at once what it has.
#[derive(Debug)]
pub(crate) struct Reading {
    shared: Arc<Shared>,
    key: MemberKey,
    /// The number of each lane's assignment, as far as the consumer was told.
    epochs: Epochs,
    notify: Arc<Notify>,
    /// What was picked and is not handed over yet: reading it was broken off, or it is not read.
    picked: VecDeque<Pick>,
    scratch: Vec<Pick>,
    /// What was read from a file last.
    chunk: Chunk,
    /// What is being read, and for the record at which position.
    loading: Option<(u64, JoinHandle<Result<Chunk>>)>,
    /// What has to be written before what was picked is handed over.
    starting: Option<Ticket>,
    /// What is not handed over, as too many processes have ended with it.
    poison: Vec<Pick>,
    /// Where the broker moves dead letters, unless that is the usual place.
    letters: Option<Arc<str>>,
}

/// So often a consumer looks whether something has become due.
const LOOK: Duration = Duration::from_secs(60);

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
                .group(
                    route.id,
                    wanted.group.unwrap_or_default(),
                    wanted.start,
                    wanted.mode,
                )
                .await?;
            if let Some(change) = wanted_mode(shared, wanted, route.id, group)? {
                shared.change(&[change]).await?;
            }
            groups.push((route.id, group));
        }
        let lease = wanted
            .lease
            .map(|lease| u64::try_from(lease.as_nanos()).unwrap_or(u64::MAX / 2));
        let joining = Joining {
            groups,
            window: wanted.window,
            window_bytes: wanted.window_bytes,
            lease,
            announces: wanted.announces,
        };
        let (key, notify, lanes) = shared.lock().join(&joining).ok_or_else(error::deleted)?;
        let reading = Self {
            shared: shared.clone(),
            key,
            epochs: Epochs::new(key),
            notify,
            picked: VecDeque::new(),
            scratch: Vec::new(),
            chunk: Chunk::default(),
            loading: None,
            starting: None,
            poison: Vec::new(),
            letters: wanted.letters.clone(),
        };
        Ok((reading, lanes))
    }

    /// The logs that the consumer has got by joining.
    pub(crate) fn first_gained(&mut self) -> Vec<AssignedLane> {
        let gained = self.shared.lock().first_gained(self.key);
        gained.iter().for_each(|lane| self.epochs.note(lane));
        gained
    }

    /// A lane as it was gained.
    pub(crate) fn gained(&mut self, lane: LaneId) -> Option<AssignedLane> {
        let gained = self.shared.lock().assigned(self.key, lane);
        gained.iter().for_each(|lane| self.epochs.note(lane));
        gained
    }

    /// What the consumer is called.
    pub(crate) fn key(&self) -> MemberKey {
        self.key
    }

    /// The broker.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Waits for messages and appends at most `max` of them, or returns what has changed; cancel-safe.
    ///
    /// # Errors
    /// The consumer has ended, or a message cannot be read from the disk.
    pub(crate) async fn receive(
        &mut self,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Option<Turn>> {
        let before = records.len();
        while records.len() == before {
            if self.picked.is_empty()
                && let Some(turn) = self.pick(max).await?
            {
                return Ok(Some(turn));
            }
            self.begin().await?;
            let room = max.min(self.picked.len());
            self.recall(records, room);
            if records.len() > before {
                // Who is up to date needs no file.
                self.chunk = Chunk::default();
            } else if !self.picked.is_empty() {
                self.read(records, room).await?;
            }
        }
        Ok(None)
    }

    /// Waits until there is something, and picks it.
    async fn pick(&mut self, max: usize) -> Result<Option<Turn>> {
        loop {
            let now = self.shared.clock.now();
            let taken = self
                .shared
                .lock()
                .take(self.key, &mut self.scratch, max.max(1), now);
            match taken {
                Taken::Some => {
                    self.sort_out()?;
                    self.picked.extend(self.scratch.drain(..));
                    return Ok(None);
                }
                Taken::Turn(turn) => return Ok(Some(turn)),
                Taken::Nothing(None) => self.notify.notified().await,
                Taken::Nothing(Some(due)) => {
                    // Timers stand still while the machine sleeps.
                    let wait = Duration::from_nanos(due.saturating_sub(now)).min(LOOK);
                    // Both ends of the wait mean the same: look again.
                    let _ = tokio::time::timeout(wait, self.notify.notified()).await;
                }
                Taken::Ended(ended) => return Err(self.ended(ended)),
            }
        }
    }

    /// Writes down what is begun with, where that may take the process down, and moves out of the way what has done so too often.
    async fn begin(&mut self) -> Result<()> {
        if let Some(starting) = &self.starting {
            starting.wait().await?;
            self.starting = None;
        }
        while let Some(pick) = self.poison.last() {
            let crashes = pick.note.map_or(0, |note| note.crashes);
            let reason = format!("{crashes} processes have ended while they had the message");
            tracing::error!(position = pick.position, %reason, "a message is not handed out any more");
            let letter = Settlement {
                lane: LaneId(pick.lane),
                position: pick.position,
                epoch: self.epochs.of(pick.lane),
                action: Action::DeadLetter { reason },
            };
            let letters = self.letters.as_ref();
            let unsettled = self.shared.settle(self.key, letters, &[letter]).await?;
            if let Some(SettleError::Failed(error)) =
                unsettled.into_iter().next().map(|one| one.error)
            {
                return Err(error);
            }
            self.poison.pop();
        }
        Ok(())
    }

    /// Sorts out what may take the process down.
    fn sort_out(&mut self) -> Result<()> {
        let mut state = self.shared.lock();
        if !state.has_suspects() {
            return Ok(());
        }
        let key = self.key;
        let (poison, rest): (Vec<_>, Vec<_>) = self
            .scratch
            .drain(..)
            .partition(|pick| state.is_poison(key, pick));
        let starts = state.starts(key, &rest);
        drop(state);
        self.poison.extend(poison);
        self.scratch = rest;
        if !starts.is_empty() {
            self.starting = Some(self.shared.write(&starts, Durability::Os)?);
        }
        Ok(())
    }

    fn ended(&self, ended: Ended) -> Error {
        match (self.shared.check(), ended) {
            (Err(error), _) => error,
            (Ok(()), Ended::Deleted) => error::deleted(),
            (Ok(()), Ended::Changed) => error::changed(),
            (Ok(()), Ended::Closed) => error::closed(),
        }
    }

    /// Hands over what is in memory.
    fn recall(&mut self, records: &mut Vec<Record>, room: usize) {
        if self
            .picked
            .front()
            .is_some_and(|pick| pick.lsn & FLEETING != 0)
        {
            return self.recall_fleeting(records, room);
        }
        let picks = self.picked.make_contiguous();
        let epochs = &self.epochs;
        let mut bad = None;
        let count = self.shared.bodies.recall(&picks[..room], |pick, bytes| {
            match record(pick, epochs, &bytes) {
                Ok(record) => records.push(record),
                Err(error) => bad = Some(error),
            }
        });
        if let Some(error) = bad {
            tracing::error!(%error, "a message in memory is not what was written; please report it");
        }
        self.picked.drain(..count);
    }

    /// Hands over what is nowhere but in memory; what has gone since it was picked is passed over.
    fn recall_fleeting(&mut self, records: &mut Vec<Record>, room: usize) {
        for _ in 0..room {
            let Some(pick) = self.picked.front().filter(|pick| pick.lsn & FLEETING != 0) else {
                return;
            };
            match self.shared.bodies.fleeting(pick) {
                Some(bytes) => match record(pick, &self.epochs, &bytes) {
                    Ok(record) => records.push(record),
                    Err(error) => {
                        tracing::error!(%error, "a message in memory is not what was written; please report it");
                    }
                },
                None => {
                    let mut state = self.shared.lock();
                    state.drop_gone(self.key, pick.lane, pick.position);
                    state.wake();
                }
            }
            self.picked.pop_front();
        }
    }

    /// Hands over what files hold; what is picked stays picked when the future is dropped.
    async fn read(&mut self, records: &mut Vec<Record>, room: usize) -> Result<()> {
        let in_files = self.picked.iter().take(room);
        let room = in_files.take_while(|pick| pick.lsn & FLEETING == 0).count();
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
            match record(&pick, &self.epochs, &bytes) {
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

    /// Lets go of lanes that somebody else is to have.
    pub(crate) fn released(&mut self, lanes: &[LaneId]) {
        self.picked
            .retain(|pick| !lanes.contains(&LaneId(pick.lane)));
        self.shared.lock().released(self.key, lanes);
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
fn record(pick: &Pick, epochs: &Epochs, bytes: &bytes::Bytes) -> Result<Record> {
    let message = record::decode(bytes).map_err(error::malformed)?;
    let mut record = Record::new(message, LaneId(pick.lane), pick.position);
    record.epoch = epochs.of(pick.lane);
    // In a log, nobody counts.
    record.deliveries = Some(u32::from(pick.deliveries)).filter(|count| *count > 0);
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
