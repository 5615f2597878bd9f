//! The administrative part.

use async_trait::async_trait;
use mq_core::{
    binder::{Admin, Browsed, Capability, Cursor, DestinationInfo, GroupInfo, Lag, ReplayFrom},
    error::Result,
};

use crate::{binder::MemoryBinder, broker::Broker, error};

impl MemoryBinder {
    /// The broker, if it can be reached.
    pub(crate) fn reach(&self) -> Result<&Broker> {
        let broker = self.session.open()?;
        broker.trouble.connected()?;
        Ok(broker)
    }

    fn reach_with(&self, capability: Capability) -> Result<&Broker> {
        let broker = self.reach()?;
        if broker.options.has(capability) {
            Ok(broker)
        } else {
            Err(error::unsupported(capability.name()))
        }
    }
}

#[async_trait]
impl Admin for MemoryBinder {
    async fn destinations(&self) -> Result<Vec<DestinationInfo>> {
        Ok(self.reach()?.lock().list())
    }

    async fn groups(&self, destination: &str) -> Result<Vec<GroupInfo>> {
        let state = self.reach()?.lock();
        Ok(state.groups(state.known(destination)?))
    }

    async fn lag(&self, destination: &str, group: &str) -> Result<Lag> {
        let broker = self.reach_with(Capability::Lag)?;
        let state = broker.lock();
        let (destination, group) = state.known_group(destination, group)?;
        Ok(state.lag(destination, group, broker))
    }

    async fn browse(
        &self,
        destination: &str,
        cursor: &mut Cursor,
        max: usize,
    ) -> Result<Vec<Browsed>> {
        let state = self.reach_with(Capability::Browse)?.lock();
        Ok(state.browse(state.known(destination)?, cursor, max))
    }

    async fn mark_handled(&self, destination: &str, partition: u32, position: u64) -> Result<()> {
        let mut state = self.reach_with(Capability::Browse)?.lock();
        let destination = state.known(destination)?;
        state.mark_handled(destination, partition, position)
    }

    async fn purge(&self, destination: &str) -> Result<u64> {
        let mut state = self.reach()?.lock();
        let destination = state.known(destination)?;
        Ok(state.purge(destination))
    }

    async fn delete(&self, destination: &str) -> Result<()> {
        let broker = self.reach()?;
        let mut state = broker.lock();
        let destination = state.known(destination)?;
        state.delete(destination, broker);
        Ok(())
    }

    async fn seek(&self, destination: &str, group: &str, from: ReplayFrom) -> Result<()> {
        let broker = self.reach_with(Capability::Seek)?;
        let mut state = broker.lock();
        let (destination, group) = state.known_group(destination, group)?;
        state.seek_group(destination, group, from, broker);
        Ok(())
    }
}
