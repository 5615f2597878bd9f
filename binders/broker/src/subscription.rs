//! Subscriptions of the library.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use mq_core::{
    binder::{Action, LaneId, Receipt, Record, SettleError, Settlement},
    error::Result,
    message::Message,
};

use crate::{
    broker::{Subscribe, no_target},
    engine::{Reading, Shared, Wanted},
    error,
    state::MemberKey,
};

/// A member of a group. Dropping it gives back what is not settled.
///
/// Members share every partition; messages of one key are handed out one after the other, each when the one before it is settled.
///
/// ```
/// use std::time::Duration;
/// use mq_broker::{Broker, Subscribe};
/// use mq_core::message::Message;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let broker = Broker::open(folder.path()).await?;
/// broker.publish("orders", &[Message::new("A1"), Message::new("A2"), Message::new("A3")]).await;
/// let mut billing = broker.subscribe(&Subscribe::to("orders").group("billing")).await?;
/// let orders = billing.receive(10).await?;
///
/// // One step: the invoice is there and the order is done with, or neither.
/// let invoice = Message::new("invoice for A1").destination("invoices");
/// billing.commit(&[invoice], &orders[..1]).await?;
/// orders[1].release(Duration::ZERO, 1).await?;
/// orders[2].dead_letter("no such customer").await?;
///
/// let again = billing.receive(10).await?;
/// assert_eq!((again[0].attempts(), again[0].deliveries()), (1, 2));
/// assert!(broker.destination("orders.billing.dlq").is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Subscription {
    reading: Reading,
    destinations: Vec<(Arc<str>, u32)>,
    records: Vec<Record>,
}

/// A message that was handed to this subscription.
///
/// Dropping it settles nothing.
#[derive(Debug)]
pub struct Delivered {
    shared: Arc<Shared>,
    key: MemberKey,
    destination: Arc<str>,
    partition: u32,
    record: Record,
}

impl Subscription {
    pub(crate) async fn open(shared: &Arc<Shared>, subscribe: &Subscribe) -> Result<Self> {
        let wanted = Wanted {
            destinations: &subscribe.destinations,
            group: subscribe.group.as_deref(),
            start: subscribe.start,
            window: subscribe.window,
            window_bytes: subscribe.window_bytes,
            lease: subscribe.lease,
            mode: subscribe.mode,
            letters: None,
            may_change: false,
            announces: false,
        };
        let (reading, lanes) = Reading::open(shared, &wanted).await?;
        let lanes = lanes.into_iter();
        Ok(Self {
            reading,
            destinations: lanes
                .map(|lane| (lane.lane.destination, lane.lane.partition))
                .collect(),
            records: Vec::new(),
        })
    }

    /// Waits for messages, and returns 1 to `max` of them; cancel-safe.
    ///
    /// # Errors
    /// The subscription has ended, or a message cannot be read from the disk.
    pub async fn receive(&mut self, max: usize) -> Result<Vec<Delivered>> {
        if self.records.is_empty() {
            let turn = self.reading.receive(&mut self.records, max.max(1)).await?;
            debug_assert!(turn.is_none(), "nothing is announced to the library");
        }
        self.learn();
        let count = max.max(1).min(self.records.len());
        let records = self.records.drain(..count);
        let delivered = records.map(|record| {
            let (destination, partition) = &self.destinations[record.lane.0 as usize];
            Delivered {
                shared: self.reading.shared().clone(),
                key: self.reading.key(),
                destination: destination.clone(),
                partition: *partition,
                record,
            }
        });
        Ok(delivered.collect())
    }

    /// Looks up partitions that were added since.
    fn learn(&mut self) {
        let known = self.destinations.len();
        let last = self
            .records
            .iter()
            .map(|record| record.lane.0 as usize)
            .max();
        for lane in known..last.map_or(0, |last| last + 1) {
            let lane = LaneId(u32::try_from(lane).unwrap_or(u32::MAX));
            let assigned = self
                .reading
                .shared()
                .lock()
                .assigned(self.reading.key(), lane);
            // The destination may be gone by now: then nothing of it can be settled.
            let place = assigned.map(|one| (one.lane.destination, one.lane.partition));
            self.destinations
                .push(place.unwrap_or_else(|| ("".into(), 0)));
        }
    }

    /// Acknowledges many messages at once.
    ///
    /// In a group of mode [`Log`](crate::GroupMode::Log), each counts for everything before it in its partition too.
    ///
    /// # Errors
    /// One of them is not with this subscription any more (the others are settled), or the broker does not work.
    pub async fn ack(&self, delivered: &[Delivered]) -> Result<()> {
        let settlements: Vec<_> = delivered
            .iter()
            .map(|one| one.settlement(Action::Ack))
            .collect();
        settle(self.reading.shared(), self.reading.key(), &settlements).await
    }

    /// Publishes messages to the destinations that they name and acknowledges deliveries: all of it, or nothing, also when the future is
    /// dropped or the process ends.
    ///
    /// # Errors
    /// Nothing took effect: a delivery is somebody else's by now, a message is refused, or the broker does not work.
    pub async fn commit(
        &self,
        messages: &[Message],
        delivered: &[Delivered],
    ) -> Result<Vec<Receipt>> {
        let shared = self.reading.shared();
        let mut routed = Vec::with_capacity(messages.len());
        for message in messages {
            let name = message.properties().destination.as_deref();
            let route = shared.route(name.ok_or_else(no_target)?).await?;
            routed.push((route, message.clone()));
        }
        let acks: Vec<_> = delivered
            .iter()
            .map(|one| one.settlement(Action::Ack))
            .collect();
        shared
            .transact(self.reading.key(), None, routed, &acks)
            .await
    }
}

impl Delivered {
    /// The message.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.record.message
    }

    /// The destination that it was read from.
    #[must_use]
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> u32 {
        self.partition
    }

    /// The position there.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.record.position
    }

    /// How often it was delivered, this time included.
    #[must_use]
    pub fn deliveries(&self) -> u32 {
        self.record.deliveries.unwrap_or(1)
    }

    /// Failed attempts, as [`release`](Self::release) has recorded them.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.record.attempts
    }

    /// Acknowledges it.
    ///
    /// In a group of mode [`Log`](crate::GroupMode::Log), that counts for everything before it in its partition too, and the other
    /// calls are [`Unsupported`](mq_core::error::ErrorKind::Unsupported).
    ///
    /// # Errors
    /// It is not with this subscription any more, or the broker does not work.
    pub async fn ack(&self) -> Result<()> {
        self.settle(Action::Ack).await
    }

    /// Gives it back, to be delivered again after the delay to any member; the attempts are recorded.
    ///
    /// # Errors
    /// As for [`ack`](Self::ack).
    pub async fn release(&self, after: Duration, attempts: u32) -> Result<()> {
        self.settle(Action::Release { after, attempts }).await
    }

    /// Moves it to the dead letters of its group, `<destination>.<group>.dlq`, in one step.
    ///
    /// # Errors
    /// As for [`ack`](Self::ack).
    pub async fn dead_letter(&self, reason: impl Into<String>) -> Result<()> {
        let reason = reason.into();
        self.settle(Action::DeadLetter { reason }).await
    }

    /// Keeps it with this subscription until `due`, and records that and the attempts.
    ///
    /// # Errors
    /// As for [`ack`](Self::ack).
    pub async fn hold(&self, due: SystemTime, attempts: u32) -> Result<()> {
        self.settle(Action::Hold { due, attempts }).await
    }

    /// Moves the end of its lease to so long from now, where the subscription has leases.
    ///
    /// # Errors
    /// As for [`ack`](Self::ack).
    pub async fn extend(&self, by: Duration) -> Result<()> {
        self.settle(Action::Extend(by)).await
    }

    async fn settle(&self, action: Action) -> Result<()> {
        settle(&self.shared, self.key, &[self.settlement(action)]).await
    }

    fn settlement(&self, action: Action) -> Settlement {
        Settlement {
            lane: LaneId(self.record.lane.0),
            position: self.record.position,
            epoch: self.record.epoch,
            action,
        }
    }
}

async fn settle(shared: &Arc<Shared>, key: MemberKey, settlements: &[Settlement]) -> Result<()> {
    let unsettled = shared.settle(key, None, settlements).await?;
    match unsettled.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(match first.error {
            SettleError::Failed(error) => error,
            _ => error::lost(),
        }),
    }
}
