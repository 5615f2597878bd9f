//! The journal's thread: writes frames, makes them durable, applies them.

use std::{collections::BTreeSet, io, sync::Arc, time::Instant};

use bytes::Bytes;

use super::{
    commit::{Commit, Frame, Outcome},
    keeper::News,
    shared::Shared,
};
use crate::{
    journal::{
        Stamp, Writer,
        frame::{HEADER, Header},
    },
    options::INTERVAL,
    record::{FLEETING, Malformed, PREFIX, is_fleeting, kind, records, without_fleeting},
    state::{Applied, State},
};

/// Runs until the broker is closed; what was gathered before is written.
pub(super) fn run(shared: &Arc<Shared>, writer: Writer) {
    let (time, memory) = {
        let state = shared.lock();
        (state.time, state.memory.clone())
    };
    let mut thread = Thread {
        shared,
        writer,
        time,
        due: None,
        written: 0,
        memory,
        place: 1,
    };
    loop {
        match shared.gather.take(thread.due) {
            Some(frame) => thread.commit(frame),
            None if shared.gather.is_closed() => break,
            None => {}
        }
        thread.sync_when_due();
    }
    if shared.failure().is_none() && !thread.writer.is_synced() {
        thread.sync();
    }
}

struct Thread<'a> {
    shared: &'a Arc<Shared>,
    writer: Writer,
    /// When the last frame was written; no two frames have one time.
    time: u64,
    /// When what was written has to be durable.
    due: Option<Instant>,
    /// Bytes since the keeper was told.
    written: u64,
    /// Destinations in memory.
    memory: Arc<BTreeSet<u32>>,
    /// The place of the next message in memory.
    place: u64,
}

/// The keeper is told after so many bytes.
const NEWS: u64 = 4 << 20;

impl Thread<'_> {
    fn commit(&mut self, mut frame: Frame) {
        if let Some(reason) = self.shared.failure() {
            return frame.commit.finish(Outcome::Poisoned(reason.to_owned()));
        }
        self.time = self.shared.clock.now().max(self.time + 1);
        let stamp = Stamp {
            time: self.time,
            ahead: self.shared.clock.ahead(),
        };
        if !self.memory.is_empty()
            && let Some(split) = without_fleeting(&frame.buffer[HEADER..], &self.memory)
        {
            return self.commit_mixed(frame, split, stamp);
        }
        let written = self.writer.append(&mut frame.buffer, frame.records, stamp);
        match written {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                tracing::warn!(%error, "the disk is full");
                return frame.commit.finish(Outcome::Full);
            }
            Err(error) => return self.fail(&frame.commit, "writing", &error),
        }
        if let Err(error) = self.settle(frame.sync, frame.soon) {
            return self.fail(&frame.commit, "syncing", &error);
        }
        self.apply(frame);
    }

    /// What has changed for this thread.
    fn after(&mut self, state: &mut State) {
        if !Arc::ptr_eq(&self.memory, &state.memory) {
            self.memory = state.memory.clone();
        }
        let gone = state.take_gone();
        if !gone.is_empty() {
            self.shared.bodies.drop_fleeting(&gone);
        }
    }

    fn finish(&self, commit: &Commit, applied: Result<Applied, Malformed>) {
        match applied {
            Ok(applied) => commit.finish(Outcome::Done(applied.0)),
            Err(malformed) => {
                let reason =
                    format!("a record cannot be read again: {malformed}; please report it");
                self.shared.fail(&reason);
                commit.finish(Outcome::Poisoned(reason));
            }
        }
    }

    /// A frame of which only these records are written.
    fn commit_mixed(&mut self, frame: Frame, (written, records): (Vec<u8>, u32), stamp: Stamp) {
        let body = Bytes::from(frame.buffer).slice(HEADER..);
        let mut durable = vec![0; HEADER];
        durable.extend_from_slice(&written);
        let appended = match records {
            0 => Ok(None),
            _ => self
                .writer
                .append(&mut durable, records, stamp)
                .map(|_| Header::decode(&durable, self.writer.tail().epoch)),
        };
        let header = match appended {
            Ok(header) => header,
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                return frame.commit.finish(Outcome::Full);
            }
            Err(error) => return self.fail(&frame.commit, "writing", &error),
        };
        if let Err(error) = self.settle(frame.sync, frame.soon && records > 0) {
            return self.fail(&frame.commit, "syncing", &error);
        }
        let first = self.keep(&body);
        if let Some(header) = &header {
            let room = durable.capacity();
            self.written += durable.len() as u64;
            // Buffers of such frames are not used again.
            drop(
                self.shared
                    .bodies
                    .add(header.lsn, Bytes::from(durable), room),
            );
        }
        let mut state = self.shared.lock();
        let applied = state.apply_mixed(header.as_ref(), stamp, &body, first);
        state.wake();
        self.after(&mut state);
        drop(state);
        self.finish(&frame.commit, applied);
    }

    /// Keeps the messages that are in memory only; returns the place of the first.
    fn keep(&mut self, body: &[u8]) -> u64 {
        let first = self.place;
        for (_, record) in records(body).flatten() {
            if record[PREFIX - 1] == kind::PUBLISH && is_fleeting(record, &self.memory) {
                // Each by itself: none keeps the memory of others.
                let record = Bytes::copy_from_slice(record);
                let bodies = &self.shared.bodies;
                bodies.keep_fleeting(self.place | FLEETING, record);
                self.place += 1;
            }
        }
        first
    }

    /// Makes what was written durable, now or soon.
    fn settle(&mut self, now: bool, soon: bool) -> io::Result<()> {
        if now {
            self.writer.sync()?;
            self.due = None;
        } else if soon && self.due.is_none() {
            self.due = Some(Instant::now() + INTERVAL);
        }
        Ok(())
    }

    fn apply(&mut self, frame: Frame) {
        let room = frame.buffer.capacity();
        let bytes = Bytes::from(frame.buffer);
        let tail = self.writer.tail();
        let Some(header) = Header::decode(&bytes, tail.epoch) else {
            return frame
                .commit
                .finish(Outcome::Poisoned("a frame was not what was written".into()));
        };
        self.written += bytes.len() as u64;
        let freed = self.shared.bodies.add(header.lsn, bytes.clone(), room);
        let mut state = self.shared.lock();
        let applied = state.apply(&header, &bytes[HEADER..]);
        state.wake();
        self.after(&mut state);
        drop(state);
        drop(bytes);
        self.finish(&frame.commit, applied);
        if let Some(buffer) = freed {
            self.shared.gather.recycle(buffer);
        }
        if self.written >= NEWS {
            self.written = 0;
            // The keeper looks at everything each time: one message in its queue is enough.
            let _full = self.shared.keeper.try_send(News::Look);
        }
    }

    fn sync_when_due(&mut self) {
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.sync();
        }
    }

    fn sync(&mut self) {
        self.due = None;
        if let Err(error) = self.writer.sync() {
            self.shared.fail(&format!("syncing the journal: {error}"));
        }
    }

    /// A failed write or sync is never repeated: what the operating system dropped then is not written by a second call.
    fn fail(&mut self, commit: &Commit, what: &str, error: &io::Error) {
        let reason = format!("{what} the journal: {error}");
        tracing::error!(%reason, "the broker does not work any more");
        self.shared.fail(&reason);
        commit.finish(Outcome::Poisoned(reason));
    }
}
