//! Calls whose messages are on their way, and what became of each message.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mq_core::{
    binder::Receipt,
    error::{Error, Result},
};
use rdkafka::{
    Message as _, error::KafkaError, message::DeliveryResult, producer::ProducerContext,
};
use slab::Slab;
use tokio::{
    sync::{Notify, futures::Notified, oneshot},
    time::timeout,
};

use crate::{
    client::{Context, Hooks},
    error,
    headers::SpringPartitioner,
};

/// The token of a message holds the number of its call and, in so many low bits, its index there.
const INDEX_BITS: u32 = 24;
/// Messages that one call may carry.
pub(crate) const MAX_CALL: usize = 1 << INDEX_BITS;

/// Room is looked for again after this time: messages leave the client's queue a moment after their confirmations were told.
const AGAIN: Duration = Duration::from_millis(10);

type Results = Vec<Result<Receipt>>;

#[derive(Debug)]
struct Call {
    /// Of the messages that are not missing.
    results: Results,
    /// Messages without a result; each gets one, once.
    missing: usize,
    done: oneshot::Sender<Results>,
}

/// The calls of a client.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    calls: Mutex<Slab<Call>>,
    /// Told when a message has left the client's queue.
    room: Notify,
    /// Somebody wants to be told.
    is_awaited: AtomicBool,
}

/// Waits until a message has left the client's queue.
pub(crate) struct Room<'a>(Notified<'a>);

impl Room<'_> {
    pub(crate) async fn wait(self) {
        // Either way it is looked whether there is room.
        drop(timeout(AGAIN, self.0).await);
    }
}

/// A call that has begun.
pub(crate) struct Begun {
    number: usize,
    pub(crate) done: oneshot::Receiver<Results>,
}

impl Begun {
    pub(crate) fn token(&self, index: usize) -> usize {
        self.number << INDEX_BITS | index
    }
}

impl Deliveries {
    fn lock(&self) -> MutexGuard<'_, Slab<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call with so many messages, at least one.
    pub(crate) fn begin(&self, count: usize) -> Begun {
        let (sender, done) = oneshot::channel();
        let call = Call {
            results: (0..count).map(|_| Ok(Receipt::default())).collect(),
            missing: count,
            done: sender,
        };
        let number = self.lock().insert(call);
        Begun { number, done }
    }

    /// What became of a message.
    pub(crate) fn end(&self, token: usize, result: Result<Receipt>) {
        let (number, index) = (token >> INDEX_BITS, token & (MAX_CALL - 1));
        let mut calls = self.lock();
        let Some(call) = calls.get_mut(number) else {
            return;
        };
        if let Some(slot) = call.results.get_mut(index) {
            *slot = result;
            call.missing -= 1;
        }
        if call.missing == 0 {
            let call = calls.remove(number);
            drop(calls);
            // Whoever has given up waiting needs no answer.
            drop(call.done.send(call.results));
        }
    }

    /// Room that becomes free from now on.
    pub(crate) fn room(&self) -> Room<'_> {
        let room = Room(self.room.notified());
        self.is_awaited.store(true, Ordering::Release);
        room
    }

    /// A message has left the client's queue.
    fn left(&self) {
        if self.is_awaited.load(Ordering::Acquire) && self.is_awaited.swap(false, Ordering::AcqRel)
        {
            self.room.notify_waiters();
        }
    }
}

impl Hooks for Deliveries {}

impl ProducerContext<SpringPartitioner> for Context<Deliveries> {
    type DeliveryOpaque = usize;

    fn delivery(&self, delivery: &DeliveryResult<'_>, token: usize) {
        let result = match delivery {
            Ok(message) => Ok(receipt(message.partition(), message.offset())),
            Err((error, message)) => {
                let error = refused(error).context("destination", message.topic());
                Err(self.link.explain(error))
            }
        };
        self.hooks.end(token, result);
        self.hooks.left();
    }

    fn get_custom_partitioner(&self) -> Option<&SpringPartitioner> {
        self.link.partitioner()
    }
}

fn receipt(partition: i32, offset: i64) -> Receipt {
    match (u32::try_from(partition), u64::try_from(offset)) {
        (Ok(partition), Ok(offset)) => Receipt::at(partition, offset),
        _ => Receipt::default(),
    }
}

/// A message that was not stored, or of which it is not known: it can be sent again unless it is at fault itself.
pub(crate) fn refused(error: &KafkaError) -> Error {
    use mq_core::error::ErrorKind;
    let error = error::classify("publishing", error);
    if error.kind() == ErrorKind::Lost {
        return Error::new(ErrorKind::Unavailable, error.message()).temporary();
    }
    error
}
