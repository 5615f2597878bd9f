//! Group commit: what many tasks want written goes into one frame.

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
    vec,
};

use mq_core::error::Error;
use tokio::sync::Notify;

use crate::{error, journal::frame::HEADER};

/// A frame is not made longer than this, unless one call alone is.
const FRAME: usize = 4 << 20;
/// The buffer of a frame has at least so much room.
const BUFFER: usize = 1 << 10;

/// What became of a frame.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Where its messages were stored, in order.
    Done(Vec<u64>),
    /// There was no room on the disk; nothing of it took effect.
    Full,
    /// The disk has failed.
    Poisoned(String),
}

/// So many of those who wait are told at a time.
const CHUNK: usize = 32;

/// A frame, as those know it who wait for it.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    outcome: OnceLock<Outcome>,
    waiters: Mutex<Waiters>,
    /// Whether somebody is still to be told of the outcome.
    is_telling: AtomicBool,
}

/// Who waits for a frame.
#[derive(Debug, Default)]
struct Waiters {
    all: Vec<Waker>,
    /// Those who are still to be told, once there is an outcome.
    left: vec::IntoIter<Waker>,
}

impl Commit {
    /// Tells everybody who waits.
    pub(crate) fn finish(&self, outcome: Outcome) {
        let first = self.outcome.set(outcome).is_ok();
        debug_assert!(first, "a frame ends once");
        let mut waiters = self.lock();
        waiters.left = mem::take(&mut waiters.all).into_iter();
        self.is_telling
            .store(waiters.left.len() > 0, Ordering::Release);
        drop(waiters);
        while self.is_telling.load(Ordering::Acquire) {
            self.tell_some();
        }
    }

    /// Wakes some of those who are still to be told.
    ///
    /// Waking a task from a thread of its own runtime is cheaper, so those who were told help to tell the others.
    fn tell_some(&self) {
        let mut waiters = self.lock();
        let some: Vec<Waker> = waiters.left.by_ref().take(CHUNK).collect();
        if waiters.left.len() == 0 {
            self.is_telling.store(false, Ordering::Release);
        }
        drop(waiters);
        some.into_iter().for_each(Waker::wake);
    }

    /// Waits until the frame has taken effect.
    async fn wait(&self) -> &Outcome {
        let mut place = None;
        let outcome = poll_fn(|context| self.poll(context, &mut place)).await;
        if self.is_telling.load(Ordering::Acquire) {
            self.tell_some();
        }
        outcome
    }

    /// `place` is where the waker is in the list, once it is.
    fn poll(&self, context: &Context<'_>, place: &mut Option<usize>) -> Poll<&Outcome> {
        if let Some(outcome) = self.outcome.get() {
            return Poll::Ready(outcome);
        }
        let mut waiters = self.lock();
        // The list is taken under the lock, after the outcome is there.
        if let Some(outcome) = self.outcome.get() {
            return Poll::Ready(outcome);
        }
        let waker = context.waker();
        match place.and_then(|place| waiters.all.get_mut(place)) {
            Some(known) => known.clone_from(waker),
            None => {
                *place = Some(waiters.all.len());
                waiters.all.push(waker.clone());
            }
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of a frame: what one call wrote.
#[derive(Debug)]
pub(crate) struct Ticket {
    commit: Arc<Commit>,
    /// The number of its first message in the frame.
    first: usize,
    count: usize,
}

impl Ticket {
    /// Waits until it has taken effect; returns where its messages were stored.
    pub(crate) async fn wait(&self) -> Result<&[u64], Error> {
        match self.commit.wait().await {
            Outcome::Done(positions) => positions
                .get(self.first..self.first + self.count)
                .ok_or_else(|| error::bug("a frame has lost messages; please report it")),
            Outcome::Full => Err(error::disk_full()),
            Outcome::Poisoned(reason) => Err(error::poisoned(reason)),
        }
    }
}

/// The frame that is being filled.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The header's place, and the records.
    pub(crate) buffer: Vec<u8>,
    pub(crate) records: u32,
    messages: usize,
    /// Whether it must be on the disk before it takes effect.
    pub(crate) sync: bool,
    /// Whether it must be on the disk soon.
    pub(crate) soon: bool,
    pub(crate) commit: Arc<Commit>,
}

impl Frame {
    fn new(mut buffer: Vec<u8>, room: usize) -> Self {
        buffer.clear();
        buffer.reserve(room);
        buffer.resize(HEADER, 0);
        Self {
            buffer,
            records: 0,
            messages: 0,
            sync: false,
            soon: false,
            commit: Arc::default(),
        }
    }

    /// Counts what was just appended.
    pub(crate) fn count(&mut self, messages: usize, others: usize) {
        self.messages += messages;
        self.records += u32::try_from(messages + others).unwrap_or(u32::MAX);
    }

    fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// How much there is of everything.
    fn extent(&self) -> (usize, u32, usize) {
        (self.buffer.len(), self.records, self.messages)
    }

    /// Takes off what was appended behind this extent, as a frame of its own.
    fn split_off(&mut self, (len, records, messages): (usize, u32, usize)) -> Self {
        let mut rest = Self::new(Vec::new(), self.buffer.len() - len + HEADER);
        rest.buffer.extend_from_slice(&self.buffer[len..]);
        rest.records = self.records - records;
        rest.messages = self.messages - messages;
        (rest.sync, rest.soon) = (self.sync, self.soon);
        self.buffer.truncate(len);
        (self.records, self.messages) = (records, messages);
        rest
    }
}

/// Where tasks write, and what the journal's thread takes.
#[derive(Debug)]
pub(crate) struct Gather {
    filling: Mutex<Filling>,
    work: Condvar,
    /// Who waits for room in the frame.
    room: Notify,
    closed: AtomicBool,
    /// Bytes that a frame can have, with its header.
    capacity: usize,
}

#[derive(Debug)]
struct Filling {
    frame: Frame,
    /// Frames to which nothing can be added any more, in order.
    full: VecDeque<Frame>,
    /// Whether the journal's thread waits.
    idle: bool,
    /// Bytes that a frame has of late: buffers stay in memory as long as their messages, and are to be no larger than these.
    usual: usize,
    /// Buffers to be used again.
    spare: Vec<Vec<u8>>,
}

impl Gather {
    /// For frames of at most so many bytes, unless one call alone writes more.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            filling: Mutex::new(Filling {
                frame: Frame::new(Vec::new(), BUFFER),
                full: VecDeque::new(),
                idle: false,
                usual: BUFFER,
                spare: Vec::new(),
            }),
            work: Condvar::new(),
            room: Notify::new(),
            closed: AtomicBool::new(false),
            capacity,
        }
    }

    /// Waits until the frame that is being filled has room.
    pub(crate) async fn room(&self) {
        loop {
            let room = self.room.notified();
            if self.lock().has_room(self.capacity) || self.is_closed() {
                return;
            }
            room.await;
        }
    }

    /// Appends what `write` writes, as a whole; it counts what it has written.
    ///
    /// # Errors
    /// The broker is closed.
    pub(crate) fn write(&self, write: impl FnOnce(&mut Frame)) -> Result<Ticket, Error> {
        let filling = self.lock();
        if self.is_closed() {
            return Err(error::closed());
        }
        Ok(self.append(filling, write))
    }

    /// The same, where nobody has to [wait for room](Self::room); `None` where somebody has to, or the broker is closed.
    pub(crate) fn try_write(&self, write: impl FnOnce(&mut Frame)) -> Option<Ticket> {
        let filling = self.lock();
        let has_room = filling.has_room(self.capacity) && !self.is_closed();
        has_room.then(|| self.append(filling, write))
    }

    fn append(
        &self,
        mut filling: MutexGuard<'_, Filling>,
        write: impl FnOnce(&mut Frame),
    ) -> Ticket {
        let before = filling.frame.extent();
        write(&mut filling.frame);
        let first = filling.split_off(before, self.capacity);
        let ticket = Ticket {
            commit: filling.frame.commit.clone(),
            first,
            count: filling.frame.messages - first,
        };
        let wake = mem::take(&mut filling.idle);
        drop(filling);
        if wake {
            self.work.notify_one();
        }
        ticket
    }

    /// Takes the frame; waits for one, at most until `deadline`. `None` is the deadline, or the end.
    pub(crate) fn take(&self, deadline: Option<Instant>) -> Option<Frame> {
        let mut filling = self.lock();
        while filling.frame.is_empty() && filling.full.is_empty() {
            if self.is_closed() {
                return None;
            }
            let wait = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if wait == Some(Duration::ZERO) {
                return None;
            }
            filling.idle = true;
            filling = match wait {
                None => self
                    .work
                    .wait(filling)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(wait) => {
                    self.work
                        .wait_timeout(filling, wait)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            filling.idle = false;
        }
        let frame = filling.next();
        drop(filling);
        self.room.notify_waiters();
        Some(frame)
    }

    /// Gives back a buffer that nobody reads any more.
    pub(crate) fn recycle(&self, buffer: Vec<u8>) {
        let mut filling = self.lock();
        if filling.spare.len() < 2 && buffer.capacity() <= 2 * FRAME {
            filling.spare.push(buffer);
        }
    }

    /// Takes nothing any more; what was taken before is still written.
    pub(crate) fn close(&self) {
        let filling = self.lock();
        self.closed.store(true, Ordering::Release);
        drop(filling);
        self.work.notify_all();
        self.room.notify_waiters();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Filling> {
        self.filling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Filling {
    fn has_room(&self, capacity: usize) -> bool {
        self.full.is_empty() && self.frame.buffer.len() < FRAME.min(capacity / 2)
    }

    /// Begins a frame with what was appended behind `before`, where one frame cannot hold all of it.
    ///
    /// Returns how many messages are before it in its frame.
    fn split_off(&mut self, before: (usize, u32, usize), capacity: usize) -> usize {
        if self.frame.buffer.len() <= capacity || before.1 == 0 {
            return before.2;
        }
        let rest = self.frame.split_off(before);
        let full = mem::replace(&mut self.frame, rest);
        self.full.push_back(full);
        0
    }

    /// Takes the oldest frame, and begins the next one.
    fn next(&mut self) -> Frame {
        if let Some(full) = self.full.pop_front() {
            return full;
        }
        let falling = self.usual - self.usual / 4;
        self.usual = falling.max(self.frame.buffer.len()).max(BUFFER);
        let usual = self.usual;
        let spare = self.spare.pop();
        let fits = |spare: &Vec<u8>| (usual..=4 * usual).contains(&spare.capacity());
        let next = Frame::new(spare.filter(fits).unwrap_or_default(), usual + usual / 8);
        mem::replace(&mut self.frame, next)
    }
}

impl Frame {
    /// Something in it must be as durable as this.
    pub(crate) fn need(&mut self, durability: crate::options::Durability) {
        use crate::options::Durability;
        match durability {
            Durability::Commit => self.sync = true,
            Durability::Interval => self.soon = true,
            Durability::Os | Durability::Memory => {}
        }
    }
}
