//! The publishing side: one client for all producers of an instance.

mod deliveries;
mod letters;
mod sender;

pub(crate) use deliveries::Deliveries;
pub(crate) use letters::{Counts, placed};
pub(crate) use sender::{Client, Sender, put};

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

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
    /// Something was stored since the last error.
    works: AtomicBool,
}

impl KafkaProducer {
    pub(crate) fn new(sender: Arc<Sender>, destination: Arc<str>) -> Self {
        Self {
            sender,
            destination,
            works: AtomicBool::new(false),
        }
    }

    /// Knows a right that was taken away from one that was never there.
    #[cold]
    fn judge(&self, results: Vec<Result<Receipt>>) -> Vec<Result<Receipt>> {
        let (link, what) = (
            self.sender.link(),
            format!("publishing to {}", self.destination),
        );
        let works = results.iter().all(Result::is_ok);
        if works {
            link.allow(&what);
        }
        self.works.store(works, Ordering::Relaxed);
        let judged = results
            .into_iter()
            .map(|result| result.map_err(|error| link.deny(&what, error)));
        judged.collect()
    }
}

#[async_trait]
impl Producer for KafkaProducer {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        let results = self.sender.publish(&self.destination, messages).await;
        if self.works.load(Ordering::Relaxed) && results.iter().all(Result::is_ok) {
            return results;
        }
        self.judge(results)
    }
}
