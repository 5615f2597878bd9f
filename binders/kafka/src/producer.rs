//! The publishing side: one client for all producers of an instance.

mod deliveries;
mod sender;

pub(crate) use deliveries::Deliveries;
pub(crate) use sender::{Client, Sender, put};

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{Producer, Receipt},
    error::Result,
    message::Message,
};

/// Publishes to one destination, and to any other that a message names.
#[derive(Debug)]
pub(crate) struct KafkaProducer {
    sender: Arc<Sender>,
    destination: Arc<str>,
}

impl KafkaProducer {
    pub(crate) fn new(sender: Arc<Sender>, destination: Arc<str>) -> Self {
        Self {
            sender,
            destination,
        }
    }
}

#[async_trait]
impl Producer for KafkaProducer {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        self.sender.publish(&self.destination, messages).await
    }
}
