//! The administrative part.

use async_trait::async_trait;
use mq_core::{
    binder::{Admin, Browsed, Cursor, DestinationInfo, GroupInfo, Lag, ReplayFrom},
    error::Result,
};

use super::BrokerBinder;

#[async_trait]
impl Admin for BrokerBinder {
    async fn destinations(&self) -> Result<Vec<DestinationInfo>> {
        Ok(self.open()?.destinations())
    }

    async fn groups(&self, destination: &str) -> Result<Vec<GroupInfo>> {
        self.open()?.groups(destination)
    }

    async fn lag(&self, destination: &str, group: &str) -> Result<Lag> {
        self.open()?.lag(destination, group)
    }

    async fn browse(
        &self,
        destination: &str,
        cursor: &mut Cursor,
        max: usize,
    ) -> Result<Vec<Browsed>> {
        let browsed = self.open()?.browse(destination, cursor, max).await?;
        let each = browsed.into_iter().map(|one| Browsed {
            partition: one.partition,
            position: one.position,
            message: one.message,
            handled: one.handled,
        });
        Ok(each.collect())
    }

    async fn mark_handled(&self, destination: &str, partition: u32, position: u64) -> Result<()> {
        self.open()?
            .mark_handled(destination, partition, position)
            .await
    }

    async fn purge(&self, destination: &str) -> Result<u64> {
        self.open()?.purge(destination).await
    }

    async fn delete(&self, destination: &str) -> Result<()> {
        self.open()?.delete(destination).await
    }

    async fn seek(&self, destination: &str, group: &str, from: ReplayFrom) -> Result<()> {
        self.open()?.seek(destination, group, from).await
    }
}
