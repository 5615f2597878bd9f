//! The settling half of a consumer.

use async_trait::async_trait;
use mq_core::{
    binder::{Settlement, Settler, Unsettled},
    error::Result,
};
use tokio::task::consume_budget;

use crate::{broker::MemberKey, session::Session};

/// The settling half of a consumer; when that has left, everything is lost.
#[derive(Debug)]
pub(crate) struct MemorySettler {
    session: Session,
    key: MemberKey,
}

impl MemorySettler {
    pub(crate) fn new(session: Session, key: MemberKey) -> Self {
        Self { session, key }
    }
}

#[async_trait]
impl Settler for MemorySettler {
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Unsettled>> {
        consume_budget().await;
        let broker = self.session.open()?;
        broker.trouble.linger().await;
        broker.trouble.connected()?;
        broker.trouble.settle()?;
        Ok(broker.lock().settle(self.key, settlements, broker))
    }
}
