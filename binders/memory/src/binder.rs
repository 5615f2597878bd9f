//! The binder.

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{
        Admin, Binder, Capabilities, Consumer, ConsumerSpec, DestinationPlan, Health, Producer,
        ProducerSpec, ProvisionReport,
    },
    clock::Clock,
    error::Result,
    policy::Provision,
};

use crate::{
    broker::Broker, builder::MemoryBuilder, config::MemorySettings, consumer::MemoryConsumer,
    options::Options, producer::MemoryProducer, session::Session,
};

/// A binder whose broker is this process's memory.
#[derive(Clone, Debug)]
pub struct MemoryBinder {
    session: Session,
}

impl MemoryBinder {
    /// A binder with every capability, and a broker of its own, on the system's clock.
    #[must_use]
    pub fn new() -> Self {
        let options = Options::new(&MemorySettings::default(), std::time::Duration::ZERO);
        Self::with(options, Clock::system())
    }

    /// A binder that is told what it can do.
    pub fn builder() -> MemoryBuilder {
        MemoryBuilder::default()
    }

    pub(crate) fn with(options: Options, clock: Clock) -> Self {
        Self {
            session: Session::new(Arc::new(Broker::new(options, clock))),
        }
    }
}

impl Default for MemoryBinder {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Binder for MemoryBinder {
    fn capabilities(&self) -> &Capabilities {
        &self.session.broker.options.capabilities
    }

    async fn provision(
        &self,
        _plan: &[DestinationPlan],
        _mode: Provision,
    ) -> Result<ProvisionReport> {
        self.session.open()?;
        Ok(ProvisionReport::default())
    }

    async fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        let broker = self.session.open()?;
        let (key, notify) = broker.lock().subscribe(spec, &broker.options)?;
        Ok(Box::new(MemoryConsumer::new(
            self.session.clone(),
            key,
            notify,
        )))
    }

    async fn producer(&self, spec: &ProducerSpec) -> Result<Arc<dyn Producer>> {
        self.session.open()?;
        Ok(Arc::new(MemoryProducer::new(
            self.session.clone(),
            spec.destination.clone(),
        )))
    }

    fn health(&self) -> Health {
        if self.session.is_closed() {
            Health::Down("the binder is closed".to_owned())
        } else {
            Health::Up
        }
    }

    fn admin(&self) -> &dyn Admin {
        self
    }

    async fn close(&self) -> Result<()> {
        self.session.close();
        Ok(())
    }
}

#[async_trait]
impl Admin for MemoryBinder {}
