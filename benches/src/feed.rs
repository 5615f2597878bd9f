//! A binder that hands over copies of one message as fast as they are taken, and forgets what is published.
//!
//! It is what a loop costs without any broker behind it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use async_trait::async_trait;
use mq_core::{
    binder::{
        Admin, AssignedLane, Binder, Capabilities, Capability, Consumer, ConsumerSpec,
        DestinationPlan, Event, Health, Lane, LaneId, Producer, ProducerSpec, ProvisionReport,
        Receipt, Record, Settlement, SettlementStyle, Settler, Unsettled,
    },
    error::Result,
    message::Message,
    policy::Provision,
};
use tokio::sync::Notify;

/// Hands over `count` copies of each message in turn, to each subscription.
#[derive(Debug)]
pub struct FeedBinder {
    messages: Vec<Message>,
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
    /// A feed of these messages, `count` altogether for each subscription.
    #[must_use]
    pub fn new(messages: Vec<Message>, count: u64) -> Arc<Self> {
        let capabilities = Capabilities::new(SettlementStyle::PerMessage);
        let capabilities = capabilities.with(&[
            Capability::KeyOrder,
            Capability::Partitions,
            Capability::StableIds,
        ]);
        Arc::new(Self {
            messages,
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
            messages: self.messages.clone(),
            next: 0,
            count: self.count,
            settled: self.settled.clone(),
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
    messages: Vec<Message>,
    next: u64,
    count: u64,
    settled: Arc<Settled>,
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
        let kinds = self.messages.len() as u64;
        records.extend((self.next..end).map(|position| {
            let message = &self.messages[(position % kinds) as usize];
            Record::new(message.clone(), LaneId(0), position)
        }));
        self.next = end;
        Ok(Event::Messages)
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(Count(self.settled.clone()))
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
