//! The publishing side.

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{Producer, ProducerSpec, Receipt},
    error::Result,
    message::Message,
};

use crate::engine::Shared;

/// Publishes to one destination, and to any other that a message names.
#[derive(Debug)]
struct BrokerProducer {
    shared: Arc<Shared>,
    destination: Arc<str>,
}

pub(super) fn open(shared: &Arc<Shared>, spec: &ProducerSpec) -> Arc<dyn Producer> {
    Arc::new(BrokerProducer {
        shared: shared.clone(),
        destination: spec.destination.clone(),
    })
}

#[async_trait]
impl Producer for BrokerProducer {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        self.shared.publish(&self.destination, messages, None).await
    }
}
