//! A binder around another one: everything is handed on, by way of a [`Flaw`].

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{
        Admin, Binder, Browsed, Capabilities, Consumer, ConsumerSpec, Cursor, DestinationInfo,
        DestinationPlan, Event, GroupInfo, Health, Lag, LaneId, Producer, ProducerSpec,
        ProvisionReport, Receipt, Receipts, Record, ReplayFrom, Settlement, Settler, Transaction,
        Unsettled,
    },
    error::Result,
    message::Message,
    policy::Provision,
};

use crate::flaw::{Flaw, Own, Step};

/// An instance.
#[derive(Debug)]
pub(crate) struct Wrapped {
    real: Arc<dyn Binder>,
    flaw: Arc<dyn Flaw>,
    capabilities: Capabilities,
}

impl Wrapped {
    pub(crate) fn new(real: Arc<dyn Binder>, flaw: Arc<dyn Flaw>) -> Self {
        let capabilities = flaw.capabilities(real.capabilities().clone());
        Self {
            real,
            flaw,
            capabilities,
        }
    }
}

#[async_trait]
impl Binder for Wrapped {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn provision(
        &self,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        self.flaw.provision(&*self.real, plan, mode).await
    }

    async fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        let mut spec = spec.clone();
        let real = self.flaw.consumer(&*self.real, &mut spec).await?;
        let own = Own {
            records: Vec::new(),
        };
        let flaw = self.flaw.of_consumer();
        let flaw = flaw.unwrap_or_else(|| self.flaw.clone());
        let binder = self.real.clone();
        Ok(Box::new(WrappedConsumer {
            real,
            own,
            flaw,
            binder,
        }))
    }

    async fn producer(&self, spec: &ProducerSpec) -> Result<Arc<dyn Producer>> {
        let real = self.real.producer(spec).await?;
        let (flaw, binder) = (self.flaw.clone(), self.real.clone());
        Ok(Arc::new(WrappedProducer { real, flaw, binder }))
    }

    fn health(&self) -> Health {
        self.flaw.health(self.real.health())
    }

    fn admin(&self) -> &dyn Admin {
        self
    }

    async fn close(&self) -> Result<()> {
        self.flaw.close(&*self.real).await
    }
}

#[async_trait]
impl Admin for Wrapped {
    async fn destinations(&self) -> Result<Vec<DestinationInfo>> {
        self.real.admin().destinations().await
    }

    async fn groups(&self, destination: &str) -> Result<Vec<GroupInfo>> {
        self.flaw.groups(self.real.admin(), destination).await
    }

    async fn lag(&self, destination: &str, group: &str) -> Result<Lag> {
        self.flaw.lag(self.real.admin(), destination, group).await
    }

    async fn browse(
        &self,
        destination: &str,
        cursor: &mut Cursor,
        max: usize,
    ) -> Result<Vec<Browsed>> {
        let admin = self.real.admin();
        self.flaw.browse(admin, destination, cursor, max).await
    }

    async fn mark_handled(&self, destination: &str, partition: u32, position: u64) -> Result<()> {
        let admin = self.real.admin();
        admin.mark_handled(destination, partition, position).await
    }

    async fn purge(&self, destination: &str) -> Result<u64> {
        self.flaw.purge(self.real.admin(), destination).await
    }

    async fn delete(&self, destination: &str) -> Result<()> {
        self.real.admin().delete(destination).await
    }

    async fn seek(&self, destination: &str, group: &str, from: ReplayFrom) -> Result<()> {
        let admin = self.real.admin();
        self.flaw.seek(admin, destination, group, from).await
    }
}

struct WrappedProducer {
    real: Arc<dyn Producer>,
    flaw: Arc<dyn Flaw>,
    binder: Arc<dyn Binder>,
}

#[async_trait]
impl Producer for WrappedProducer {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        let (binder, real) = (&*self.binder, &*self.real);
        self.flaw.publish(binder, real, messages).await
    }

    async fn close(&self) -> Result<()> {
        self.real.close().await
    }
}

struct WrappedConsumer {
    real: Box<dyn Consumer>,
    own: Own,
    flaw: Arc<dyn Flaw>,
    binder: Arc<dyn Binder>,
}

#[async_trait]
impl Consumer for WrappedConsumer {
    async fn receive(&mut self, records: &mut Vec<Record>, max: usize) -> Result<Event> {
        let (own, real) = (&mut self.own, &mut *self.real);
        self.flaw.receive(own, real, records, max).await
    }

    fn settler(&self) -> Arc<dyn Settler> {
        let (real, flaw) = (self.real.settler(), self.flaw.clone());
        Arc::new(WrappedSettler { real, flaw })
    }

    async fn released(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.real.released(lanes).await
    }

    async fn pause(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.flaw.pause(&mut *self.real, lanes).await
    }

    async fn resume(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.flaw.resume(&mut *self.real, lanes).await
    }

    async fn seek(&mut self, lane: LaneId, position: u64) -> Result<()> {
        self.flaw.seek_lane(&mut *self.real, lane, position).await
    }

    async fn transaction(&mut self) -> Result<Box<dyn Transaction>> {
        let step = Step {
            step: self.real.transaction().await?,
            settler: self.real.settler(),
            binder: self.binder.clone(),
        };
        let flaw = self.flaw.clone();
        Ok(Box::new(WrappedStep { real: step, flaw }))
    }

    async fn close(mut self: Box<Self>) -> Result<()> {
        let flaw = self.flaw.clone();
        flaw.leave(&mut self.own, self.real).await
    }
}

struct WrappedSettler {
    real: Arc<dyn Settler>,
    flaw: Arc<dyn Flaw>,
}

#[async_trait]
impl Settler for WrappedSettler {
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Unsettled>> {
        self.flaw.settle(&*self.real, settlements).await
    }
}

struct WrappedStep {
    real: Step,
    flaw: Arc<dyn Flaw>,
}

#[async_trait]
impl Transaction for WrappedStep {
    async fn publish(&mut self, messages: &[Message]) -> Result<()> {
        self.flaw.add_outputs(&mut self.real, messages).await
    }

    async fn settle(&mut self, settlements: &[Settlement]) -> Result<()> {
        self.flaw.add_settlements(&mut self.real, settlements).await
    }

    async fn commit(&mut self) -> Result<Receipts> {
        self.flaw.commit(&mut self.real).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.flaw.abort(&mut self.real).await
    }
}
