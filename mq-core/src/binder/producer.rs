//! The publishing side of the contract.

use async_trait::async_trait;

use crate::{error::Result, message::Message};

/// Where a message was stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The partition, where there are partitions.
    pub partition: Option<u32>,
    /// The position there, where the broker tells.
    pub position: Option<u64>,
}

impl Receipt {
    /// A receipt with partition and position.
    #[must_use]
    pub fn at(partition: u32, position: u64) -> Self {
        Self {
            partition: Some(partition),
            position: Some(position),
        }
    }
}

/// Publishes to one destination, and to any other that a message names.
#[async_trait]
pub trait Producer: Send + Sync {
    /// Publishes messages in order and returns a result for each, in order, once the broker has confirmed it.
    ///
    /// Nothing is reported as sent before it is durable by the binder's configured meaning.
    /// Calls may overlap; messages are stored in the order in which the calls were first polled.
    /// Where a message fails temporarily, later messages of its key in the same call fail too, so that a repetition keeps order.
    /// When the future is dropped, any of the messages may have been stored.
    ///
    /// The result has exactly as many entries as `messages`.
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>>;

    /// Waits until nothing is on its way any more.
    ///
    /// # Errors
    /// Something could not be delivered; its `publish` call has reported it.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
