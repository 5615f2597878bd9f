//! What a broken binder does differently.

use std::{
    fmt::Debug,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use mq_core::{
    binder::{
        Admin, Binder, Browsed, Capabilities, Consumer, ConsumerSpec, Cursor, DestinationPlan,
        Event, GroupInfo, Health, Lag, LaneId, Producer, ProvisionReport, Receipt, Receipts,
        Record, ReplayFrom, Settlement, Settler, Transaction, Unsettled,
    },
    error::Result,
    message::Message,
    policy::Provision,
};
use mq_memory::MemoryBinder;

/// The restart of a broker.
pub(crate) type Restarting<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// What a consumer that is around another one keeps for the flaw.
#[derive(Debug)]
pub(crate) struct Own {
    /// What it was handed, if the flaw remembers.
    pub(crate) records: Vec<Record>,
}

/// A mistake; one for all instances of a subject. What is not overridden is done as it should be.
#[async_trait]
pub(crate) trait Flaw: Debug + Send + Sync + 'static {
    fn capabilities(&self, real: Capabilities) -> Capabilities {
        real
    }

    fn health(&self, real: Health) -> Health {
        real
    }

    /// Another mistake for each consumer, where it has something to remember of that.
    fn of_consumer(&self) -> Option<Arc<dyn Flaw>> {
        None
    }

    async fn close(&self, real: &dyn Binder) -> Result<()> {
        real.close().await
    }

    /// What a restart of the broker does beside cutting connections, where a case may ask for one.
    fn at_restart(&self) -> Option<fn(&MemoryBinder) -> Restarting<'_>> {
        None
    }

    async fn provision(
        &self,
        real: &dyn Binder,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        real.provision(plan, mode).await
    }

    async fn consumer(
        &self,
        real: &dyn Binder,
        spec: &mut ConsumerSpec,
    ) -> Result<Box<dyn Consumer>> {
        real.consumer(spec).await
    }

    async fn publish(
        &self,
        _binder: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        real.publish(messages).await
    }

    /// May be dropped at any await, as the method that it stands for.
    async fn receive(
        &self,
        own: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let _ = own;
        real.receive(records, max).await
    }

    async fn settle(
        &self,
        real: &dyn Settler,
        settlements: &[Settlement],
    ) -> Result<Vec<Unsettled>> {
        real.settle(settlements).await
    }

    async fn pause(&self, real: &mut dyn Consumer, lanes: &[LaneId]) -> Result<()> {
        real.pause(lanes).await
    }

    async fn resume(&self, real: &mut dyn Consumer, lanes: &[LaneId]) -> Result<()> {
        real.resume(lanes).await
    }

    async fn seek_lane(&self, real: &mut dyn Consumer, lane: LaneId, position: u64) -> Result<()> {
        real.seek(lane, position).await
    }

    /// The end of a consumer, in order.
    async fn leave(&self, own: &mut Own, real: Box<dyn Consumer>) -> Result<()> {
        let _ = own;
        real.close().await
    }

    async fn add_outputs(&self, real: &mut Step, messages: &[Message]) -> Result<()> {
        real.step.publish(messages).await
    }

    async fn add_settlements(&self, real: &mut Step, settlements: &[Settlement]) -> Result<()> {
        real.step.settle(settlements).await
    }

    async fn commit(&self, real: &mut Step) -> Result<Receipts> {
        real.step.commit().await
    }

    async fn abort(&self, real: &mut Step) -> Result<()> {
        real.step.abort().await
    }

    async fn groups(&self, real: &dyn Admin, destination: &str) -> Result<Vec<GroupInfo>> {
        real.groups(destination).await
    }

    async fn lag(&self, real: &dyn Admin, destination: &str, group: &str) -> Result<Lag> {
        real.lag(destination, group).await
    }

    async fn browse(
        &self,
        real: &dyn Admin,
        destination: &str,
        cursor: &mut Cursor,
        max: usize,
    ) -> Result<Vec<Browsed>> {
        real.browse(destination, cursor, max).await
    }

    async fn purge(&self, real: &dyn Admin, destination: &str) -> Result<u64> {
        real.purge(destination).await
    }

    async fn seek(
        &self,
        real: &dyn Admin,
        destination: &str,
        group: &str,
        from: ReplayFrom,
    ) -> Result<()> {
        real.seek(destination, group, from).await
    }
}

/// A transaction, with what stands beside it.
pub(crate) struct Step {
    pub(crate) step: Box<dyn Transaction>,
    pub(crate) settler: Arc<dyn Settler>,
    pub(crate) binder: Arc<dyn Binder>,
}

/// No mistake.
#[derive(Debug)]
pub(crate) struct Flawless;

impl Flaw for Flawless {}

/// The content, whatever happened to another holder.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
