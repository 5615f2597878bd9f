//! The publishing side: one client for all producers of an instance.

mod deliveries;
mod letters;
mod rights;
mod sender;

pub(crate) use deliveries::Deliveries;
pub(crate) use letters::{Counts, placed};
pub(crate) use rights::{Named, publishing};
pub(crate) use sender::{Client, Sender, put};

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{Producer, Receipt},
    error::Result,
    message::Message,
};

use rights::Known;

/// Publishes to one destination, and to any other that a message names.
#[derive(Debug)]
pub(crate) struct KafkaProducer {
    sender: Arc<Sender>,
    destination: Arc<str>,
    known: Known,
}

impl KafkaProducer {
    pub(crate) fn new(sender: Arc<Sender>, destination: Arc<str>) -> Self {
        Self {
            sender,
            destination,
            known: Known::default(),
        }
    }
}

#[async_trait]
impl Producer for KafkaProducer {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        let results = self.sender.publish(&self.destination, messages).await;
        let link = self.sender.link();
        if results.iter().all(Result::is_ok) && self.known.has_all(link.denials(), messages) {
            return results;
        }
        self.known.judge(link, &self.destination, messages, results)
    }
}
