//! The receiving side of the contract.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;

use super::{AssignedLane, LaneId, Receipt, Settlement, Unsettled};
use crate::{
    error::{Error, ErrorKind, Result},
    message::Message,
};

/// A message as a binder hands it over.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The message.
    pub message: Message,
    /// The lane it came from.
    pub lane: LaneId,
    /// Its position in the lane: an offset, a delivery tag, a journal position. Names the delivery in settlements.
    pub position: u64,
    /// The number of the lane's assignment.
    pub epoch: u32,
    /// Failed attempts that the broker has recorded for this group; 0 where it records none.
    pub attempts: u32,
    /// How often the broker has delivered it, this time included, where it counts.
    pub deliveries: Option<u32>,
    /// A hold that the broker has recorded: not to be handled before.
    pub due: Option<SystemTime>,
}

impl Record {
    /// A message of this lane and position; nothing is recorded about earlier attempts.
    #[must_use]
    #[inline]
    pub fn new(message: Message, lane: LaneId, position: u64) -> Self {
        Self {
            message,
            lane,
            position,
            epoch: 0,
            attempts: 0,
            deliveries: None,
            due: None,
        }
    }
}

/// What [`Consumer::receive`] reports.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Records were appended to the buffer.
    Messages,
    /// These lanes are read from now on.
    Assigned(Vec<AssignedLane>),
    /// These lanes go to somebody else after `budget`: finish and settle what is in flight, then call [`Consumer::released`].
    Revoking {
        /// The lanes to give up.
        lanes: Vec<LaneId>,
        /// How long the broker waits.
        budget: Duration,
    },
    /// These lanes are somebody else's already: nothing of them can be settled any more.
    Lost {
        /// The lanes that are gone.
        lanes: Vec<LaneId>,
    },
    /// The subscription has ended; the framework subscribes again with backoff, unless the error is fatal.
    Ended(Error),
}

/// A subscription.
///
/// One task calls `receive` and the other methods in turn; settlements go through the [`Settler`] at the same time.
/// Dropping a consumer without [`close`](Self::close) is what a crash would be: unsettled messages are delivered again.
#[async_trait]
pub trait Consumer: Send {
    /// Waits until there is something, then reports it; appends at most `max` records to `records`.
    ///
    /// Cancel-safe: when the future is dropped, no message is lost; records already appended stay in `records`, or are reported
    /// by the next call.
    ///
    /// # Errors
    /// Temporary: the same consumer goes on after a while. Permanent or fatal: the consumer is of no more use.
    async fn receive(&mut self, records: &mut Vec<Record>, max: usize) -> Result<Event>;

    /// The settling half.
    fn settler(&self) -> Arc<dyn Settler>;

    /// Says that the work on revoked lanes is finished or handed back.
    ///
    /// # Errors
    /// The lanes were lost in between.
    async fn released(&mut self, lanes: &[LaneId]) -> Result<()>;

    /// Stops handing over messages of these lanes until [`resume`](Self::resume); what was handed over keeps its lease.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the broker hands over all lanes or none; the framework then goes on without.
    async fn pause(&mut self, lanes: &[LaneId]) -> Result<()> {
        let _ = lanes;
        Err(unsupported("pausing of lanes"))
    }

    /// Hands over messages of paused lanes again.
    ///
    /// # Errors
    /// As for [`pause`](Self::pause).
    async fn resume(&mut self, lanes: &[LaneId]) -> Result<()> {
        let _ = lanes;
        Err(unsupported("pausing of lanes"))
    }

    /// Moves the reading of a lane to `position`. Deliveries before the move keep their right to be settled.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] without [`Capability::Seek`](super::Capability::Seek).
    async fn seek(&mut self, lane: LaneId, position: u64) -> Result<()> {
        let _ = (lane, position);
        Err(unsupported("seek"))
    }

    /// Opens the transactional door: outputs and settlements of this consumer in atomic steps.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] without [`Capability::Transactions`](super::Capability::Transactions).
    async fn transaction(&mut self) -> Result<Box<dyn Transaction>> {
        Err(unsupported("transactions"))
    }

    /// Leaves the group and gives unsettled messages back at once.
    ///
    /// # Errors
    /// The broker could not be told; it will find out by itself.
    async fn close(self: Box<Self>) -> Result<()>;
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("this binder has no {what}"))
}

/// The settling half of a [`Consumer`]; used while the other half is receiving.
#[async_trait]
pub trait Settler: Send + Sync {
    /// Tells the broker what became of these deliveries; returns those that could not be settled, by index.
    ///
    /// An empty list means that all are settled: for acknowledgements, durably, by the broker's configured meaning.
    /// When the future is dropped, any part may be settled.
    ///
    /// # Errors
    /// The whole call failed and may be repeated if the error is temporary.
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Unsettled>>;
}

/// The results of a commit: one receipt for each published message, in order.
pub type Receipts = Vec<Receipt>;

/// Outputs and settlements in atomic steps: everything since the last `commit` or `abort` takes effect at the next `commit`, or not
/// at all.
///
/// Dropping it aborts what is open.
#[async_trait]
pub trait Transaction: Send {
    /// Adds messages; each names its destination.
    ///
    /// # Errors
    /// The step cannot commit any more and must be aborted.
    async fn publish(&mut self, messages: &[Message]) -> Result<()>;

    /// Adds settlements of the consumer that this transaction belongs to.
    ///
    /// # Errors
    /// The step cannot commit any more and must be aborted.
    async fn settle(&mut self, settlements: &[Settlement]) -> Result<()>;

    /// Makes the step take effect as a whole.
    ///
    /// # Errors
    /// [`ErrorKind::Lost`]: a lane was lost or a newer owner has fenced this one; nothing took effect.
    /// Temporary: it is not known whether the step took effect; repeating the call finds out.
    async fn commit(&mut self) -> Result<Receipts>;

    /// Forgets the step.
    ///
    /// # Errors
    /// The broker could not be told; it will forget by itself.
    async fn abort(&mut self) -> Result<()>;
}
