//! Mistakes of instances.

use mq_core::binder::{Admin, Health};
use mq_memory::MemoryBinder;

use crate::flaw::Restarting;

use super::prelude::*;

/// Says that it is closed.
#[derive(Debug)]
pub(crate) struct ClosesNothing;

#[async_trait]
impl Flaw for ClosesNothing {
    async fn close(&self, _: &dyn Binder) -> Result<()> {
        Ok(())
    }
}

/// Is well, whatever happens.
#[derive(Debug)]
pub(crate) struct IsAlwaysWell;

impl Flaw for IsAlwaysWell {
    fn health(&self, _: Health) -> Health {
        Health::Up
    }
}

/// Keeps messages as long as the broker runs.
#[derive(Debug)]
pub(crate) struct ForgetsAtARestart;

impl Flaw for ForgetsAtARestart {
    fn capabilities(&self, real: Capabilities) -> Capabilities {
        real.with(&[Capability::Durable])
    }

    fn at_restart(&self) -> Option<fn(&MemoryBinder) -> Restarting<'_>> {
        Some(|broker| Box::pin(forget(broker)))
    }
}

async fn forget(broker: &MemoryBinder) -> Result<()> {
    for destination in broker.destinations().await? {
        broker.purge(&destination.name).await?;
    }
    Ok(())
}

/// A broker in memory that is not away for longer than a moment.
#[derive(Debug)]
pub(crate) struct Restarts;

impl Flaw for Restarts {
    fn capabilities(&self, real: Capabilities) -> Capabilities {
        real.with(&[Capability::Durable])
    }

    fn at_restart(&self) -> Option<fn(&MemoryBinder) -> Restarting<'_>> {
        Some(|_| Box::pin(std::future::ready(Ok(()))))
    }
}

/// Opens consumers and producers after its end.
#[derive(Debug)]
pub(crate) struct ChangesItsMind(pub(crate) AtomicUsize);

impl Flaw for ChangesItsMind {
    fn capabilities(&self, real: Capabilities) -> Capabilities {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            real
        } else {
            real.without(&[Capability::Priority])
        }
    }
}

/// Is down whatever happens.
#[derive(Debug)]
pub(crate) struct IsNeverWell;

impl Flaw for IsNeverWell {
    fn health(&self, _: Health) -> Health {
        Health::Down("so it seems".to_owned())
    }
}
