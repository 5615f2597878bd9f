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
    broker::{Broker, Joining},
    builder::MemoryBuilder,
    config::MemorySettings,
    consumer::MemoryConsumer,
    faults::Faults,
    native::{self, ConsumerNative, ProducerNative},
    options::Options,
    producer::MemoryProducer,
    session::Session,
};

/// A binder whose broker is this process's memory.
///
/// Clones are the same instance: closing one closes all.
#[derive(Clone, Debug)]
pub struct MemoryBinder {
    pub(crate) session: Session,
}

impl MemoryBinder {
    /// A binder with every capability, and a broker of its own, on the system's clock.
    #[must_use]
    pub fn new() -> Self {
        let options = Options::new(&MemorySettings::default(), crate::builder::BUDGET);
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

    /// Another open instance on the same broker: what a restarted program finds, or a second one.
    ///
    /// Destinations, groups and messages live as long as any instance on the broker, open or closed.
    #[must_use]
    pub fn reopened(&self) -> Self {
        Self {
            session: Session::new(self.session.broker.clone()),
        }
    }

    /// Makes trouble on demand, for every instance on this broker.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults::new(self.session.broker.clone())
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
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        let broker = self.reach()?;
        broker.lock().provision(plan, mode, broker)
    }

    async fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        let native: ConsumerNative = native::read(&spec.native)?;
        let broker = self.reach()?;
        let joining = Joining {
            spec,
            letters: native.dead_letter.map(Into::into),
            session: self.session.number,
        };
        let (key, notify) = broker.lock().subscribe(joining, broker)?;
        Ok(Box::new(MemoryConsumer::new(
            self.session.clone(),
            key,
            notify,
        )))
    }

    async fn producer(&self, spec: &ProducerSpec) -> Result<Arc<dyn Producer>> {
        native::read::<ProducerNative>(&spec.native)?;
        self.reach()?;
        Ok(Arc::new(MemoryProducer::new(
            self.session.clone(),
            spec.destination.clone(),
        )))
    }

    fn health(&self) -> Health {
        match self.reach() {
            Ok(_) => Health::Up,
            Err(error) => Health::Down(error.message().to_owned()),
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
