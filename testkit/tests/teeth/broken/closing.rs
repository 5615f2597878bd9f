//! Mistakes of instances.

use mq_core::binder::Health;

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
