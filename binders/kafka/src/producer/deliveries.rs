//! Calls whose messages are on their way, and what became of each message.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mq_core::{
    binder::Receipt,
    error::{Error, Result},
};
use rdkafka::{
    Message as _, error::KafkaError, message::DeliveryResult, producer::ProducerContext,
};
use slab::Slab;
use tokio::sync::{Notify, oneshot};

use crate::{
    client::{Context, Hooks},
    error,
    headers::SpringPartitioner,
};

/// The token of a message holds the number of its call and, in so many low bits, its index there.
const INDEX_BITS: u32 = 24;
/// Messages that one call may carry.
pub(crate) const MAX_CALL: usize = 1 << INDEX_BITS;

type Results = Vec<Option<Result<Receipt>>>;

#[derive(Debug)]
struct Call {
    results: Results,
    missing: usize,
    done: Option<oneshot::Sender<Vec<Result<Receipt>>>>,
}

/// The calls of a client.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    calls: Mutex<Slab<Call>>,
    /// Told when a message has left the client's queue.
    room: Notify,
}

/// A call that has begun.
pub(crate) struct Begun {
    number: usize,
    pub(crate) done: oneshot::Receiver<Vec<Result<Receipt>>>,
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
            results: (0..count).map(|_| None).collect(),
            missing: count,
            done: Some(sender),
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
        if let Some(slot @ None) = call.results.get_mut(index) {
            *slot = Some(result);
            call.missing -= 1;
        }
        if call.missing == 0 {
            let call = calls.remove(number);
            drop(calls);
            call.finish();
        }
    }

    /// Waits until a message has left the client's queue since this was called.
    pub(crate) fn room(&self) -> tokio::sync::futures::Notified<'_> {
        self.room.notified()
    }
}

impl Call {
    fn finish(mut self) {
        let unknown = || Err(error::bug("a message has no result"));
        let results = self.results.drain(..);
        let results = results
            .map(|result| result.unwrap_or_else(unknown))
            .collect();
        if let Some(done) = self.done {
            // Whoever has given up waiting needs no answer.
            drop(done.send(results));
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
        self.hooks.room.notify_waiters();
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
