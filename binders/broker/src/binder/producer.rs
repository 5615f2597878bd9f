//! The publishing side.

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{Producer, ProducerSpec, Receipt},
    error::Result,
    message::Message,
};

use super::session::Session;
use crate::error;

/// Publishes to one destination, and to any other that a message names.
#[derive(Debug)]
struct BrokerProducer {
    session: Arc<Session>,
    destination: Arc<str>,
}

pub(super) fn open(session: &Arc<Session>, spec: &ProducerSpec) -> Arc<dyn Producer> {
    Arc::new(BrokerProducer {
        session: session.clone(),
        destination: spec.destination.clone(),
    })
}

#[async_trait]
impl Producer for BrokerProducer {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        match self.session.open() {
            Ok(shared) => shared.publish(&self.destination, messages, None).await,
            Err(_) => messages.iter().map(|_| Err(error::closed())).collect(),
        }
    }
}
