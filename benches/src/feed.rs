//! A binder that hands over messages as fast as they are taken, and forgets what is published.
//!
//! It is what a loop costs without any broker behind it.
//! Its consumer does what one without copies does for each message: it makes a message around a slice of a buffer that it has.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use mq_core::{
    binder::{
        Admin, AssignedLane, Binder, Capabilities, Capability, Consumer, ConsumerSpec,
        DestinationPlan, Event, Health, Lane, LaneId, Producer, ProducerSpec, ProvisionReport,
        Receipt, Record, Settlement, SettlementStyle, Settler, Unsettled,
    },
    error::Result,
    message::{ContentType, Message},
    policy::Provision,
};
use tokio::sync::Notify;

/// What messages are made of, as it would lie in a buffer that was read: slices that others hold as well.
#[derive(Clone, Debug)]
pub enum Slices {
    /// A payload.
    Raw(Bytes),
    /// A JSON payload.
    Json(Bytes),
    /// A payload with each of so many keys in turn; their number is a power of two.
    Keyed(Bytes, Vec<Bytes>),
}

impl Slices {
    /// A payload of no type, without a key.
    #[must_use]
    pub fn raw(payload: &[u8]) -> Self {
        Self::Raw(shared(payload))
    }

    /// A JSON payload.
    #[must_use]
    pub fn json(payload: &str) -> Self {
        Self::Json(shared(payload.as_bytes()))
    }

    /// A payload with each of these keys in turn; their number must be a power of two.
    #[must_use]
    pub fn keyed(payload: &[u8], keys: impl Iterator<Item = String>) -> Self {
        let keys: Vec<_> = keys.map(|key| shared(key.as_bytes())).collect();
        assert!(keys.len().is_power_of_two(), "a power of two");
        Self::Keyed(shared(payload), keys)
    }

    /// Makes a message around the slices for each position.
    fn fill(&self, records: &mut Vec<Record>, positions: Range<u64>) {
        let record = |position, message| Record::new(message, LaneId(0), position);
        match self {
            Self::Raw(payload) => {
                let raw = |at| record(at, Message::new(payload.clone()));
                records.extend(positions.map(raw));
            }
            Self::Json(payload) => {
                let json = |at| record(at, Message::of_type(payload.clone(), ContentType::JSON));
                records.extend(positions.map(json));
            }
            Self::Keyed(payload, keys) => {
                let keyed = |at| {
                    let key = keys[at as usize & (keys.len() - 1)].clone();
                    record(at, Message::new(payload.clone()).key(key))
                };
                records.extend(positions.map(keyed));
            }
        }
    }
}

/// A slice of a buffer that others hold slices of: clones are counted, and the first allocates no more than the others.
fn shared(bytes: &[u8]) -> Bytes {
    let bytes = Bytes::copy_from_slice(bytes);
    drop(bytes.clone());
    bytes
}

/// Hands over `count` messages to each subscription.
#[derive(Debug)]
pub struct FeedBinder {
    slices: Slices,
    count: u64,
    settled: Arc<Settled>,
    capabilities: Capabilities,
}

/// What has been settled.
#[derive(Debug, Default)]
pub struct Settled {
    count: AtomicU64,
    changed: Notify,
}

impl Settled {
    /// Waits until `count` messages are settled.
    pub async fn reach(&self, count: u64) {
        while self.count.load(Relaxed) < count {
            self.changed.notified().await;
        }
    }
}

impl FeedBinder {
    /// A feed of `count` messages altogether for each subscription.
    #[must_use]
    pub fn new(slices: Slices, count: u64) -> Arc<Self> {
        Self::settled_by(SettlementStyle::PerMessage, slices, count)
    }

    /// The same, settled by positions instead of messages.
    #[must_use]
    pub fn positional(slices: Slices, count: u64) -> Arc<Self> {
        Self::settled_by(SettlementStyle::Positional, slices, count)
    }

    fn settled_by(style: SettlementStyle, slices: Slices, count: u64) -> Arc<Self> {
        let capabilities = Capabilities::new(style);
        let capabilities = capabilities.with(&[
            Capability::KeyOrder,
            Capability::Partitions,
            Capability::StableIds,
        ]);
        Arc::new(Self {
            slices,
            count,
            settled: Arc::default(),
            capabilities,
        })
    }

    /// What has been settled.
    #[must_use]
    pub fn settled(&self) -> Arc<Settled> {
        self.settled.clone()
    }
}

impl Admin for FeedBinder {}

#[async_trait]
impl Binder for FeedBinder {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn provision(&self, _: &[DestinationPlan], _: Provision) -> Result<ProvisionReport> {
        Ok(ProvisionReport::default())
    }

    async fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(Feed {
            slices: self.slices.clone(),
            next: 0,
            count: self.count,
            settled: self.settled.clone(),
            style: self.capabilities.settlement,
            destination: spec.destinations[0].clone(),
            assigned: false,
        }))
    }

    async fn producer(&self, _: &ProducerSpec) -> Result<Arc<dyn Producer>> {
        Ok(Arc::new(Forget))
    }

    fn health(&self) -> Health {
        Health::Up
    }

    fn admin(&self) -> &dyn Admin {
        self
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

struct Forget;

#[async_trait]
impl Producer for Forget {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        messages.iter().map(|_| Ok(Receipt::default())).collect()
    }
}

struct Feed {
    slices: Slices,
    next: u64,
    count: u64,
    settled: Arc<Settled>,
    style: SettlementStyle,
    destination: Arc<str>,
    assigned: bool,
}

#[async_trait]
impl Consumer for Feed {
    async fn receive(&mut self, records: &mut Vec<Record>, max: usize) -> Result<Event> {
        if !self.assigned {
            self.assigned = true;
            let lane = Lane {
                destination: self.destination.clone(),
                partition: 0,
            };
            return Ok(Event::Assigned(vec![AssignedLane {
                id: LaneId(0),
                lane,
                position: None,
                saved: None,
                epoch: 0,
            }]));
        }
        if self.next == self.count {
            std::future::pending::<()>().await;
        }
        let end = self.count.min(self.next + max as u64);
        self.slices.fill(records, self.next..end);
        self.next = end;
        Ok(Event::Messages)
    }

    fn settler(&self) -> Arc<dyn Settler> {
        match self.style {
            SettlementStyle::PerMessage => Arc::new(Count(self.settled.clone())),
            SettlementStyle::Positional => Arc::new(Committed(self.settled.clone())),
        }
    }

    async fn released(&mut self, _: &[LaneId]) -> Result<()> {
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

struct Count(Arc<Settled>);

#[async_trait]
impl Settler for Count {
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Unsettled>> {
        self.0.count.fetch_add(settlements.len() as u64, Relaxed);
        self.0.changed.notify_waiters();
        Ok(Vec::new())
    }
}

struct Committed(Arc<Settled>);

#[async_trait]
impl Settler for Committed {
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Unsettled>> {
        for commit in settlements {
            self.0.count.fetch_max(commit.position, Relaxed);
        }
        self.0.changed.notify_waiters();
        Ok(Vec::new())
    }
}
