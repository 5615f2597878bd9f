//! The journal's thread: writes frames, makes them durable, applies them.

use std::{io, sync::Arc, time::Instant};

use bytes::Bytes;

use super::{
    commit::{Frame, Outcome},
    keeper::News,
    shared::Shared,
};
use crate::{
    journal::{
        Stamp, Writer,
        frame::{HEADER, Header},
    },
    options::INTERVAL,
};

/// Runs until the broker is closed; what was gathered before is written.
pub(super) fn run(shared: &Arc<Shared>, writer: Writer) {
    let mut thread = Thread {
        shared,
        writer,
        time: shared.lock().time,
        due: None,
        written: 0,
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
        let written = self.writer.append(&mut frame.buffer, frame.records, stamp);
        match written {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                tracing::warn!(%error, "the disk is full");
                return frame.commit.finish(Outcome::Full);
            }
            Err(error) => return self.fail(&frame, "writing", &error),
        }
        if frame.sync {
            if let Err(error) = self.writer.sync() {
                return self.fail(&frame, "syncing", &error);
            }
            self.due = None;
        } else if frame.soon && self.due.is_none() {
            self.due = Some(Instant::now() + INTERVAL);
        }
        self.apply(frame);
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
        drop(state);
        drop(bytes);
        match applied {
            Ok(applied) => frame.commit.finish(Outcome::Done(applied.0)),
            Err(malformed) => {
                let reason =
                    format!("a record cannot be read again: {malformed}; please report it");
                self.shared.fail(&reason);
                frame.commit.finish(Outcome::Poisoned(reason));
            }
        }
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
    fn fail(&mut self, frame: &Frame, what: &str, error: &io::Error) {
        let reason = format!("{what} the journal: {error}");
        tracing::error!(%reason, "the broker does not work any more");
        self.shared.fail(&reason);
        frame.commit.finish(Outcome::Poisoned(reason));
    }
}
