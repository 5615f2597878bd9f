//! The topics of the bench.

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
};
use tokio::runtime::Runtime;

use crate::{Outcome, raw};

/// Partitions of every topic.
pub(crate) const PARTITIONS: i32 = 6;

/// Creates and removes topics.
pub(crate) struct Topics {
    client: AdminClient<DefaultClientContext>,
    servers: String,
}

impl Topics {
    pub(crate) fn new(servers: &str) -> Outcome<Self> {
        Ok(Self {
            client: raw::plain(servers).create()?,
            servers: servers.to_owned(),
        })
    }

    pub(crate) fn create(&self, runtime: &Runtime, name: &str) -> Outcome<()> {
        let topics = [NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1))];
        let options = AdminOptions::new();
        for result in runtime.block_on(self.client.create_topics(&topics, &options))? {
            result.map_err(|(name, code)| format!("topic {name}: {code}"))?;
        }
        Ok(())
    }

    pub(crate) fn remove(&self, runtime: &Runtime, name: &str) -> Outcome<()> {
        let options = AdminOptions::new();
        for result in runtime.block_on(self.client.delete_topics(&[name], &options))? {
            result.map_err(|(name, code)| format!("topic {name}: {code}"))?;
        }
        Ok(())
    }

    /// How many positions a topic has: messages, and marks of transactions.
    pub(crate) fn positions(&self, name: &str) -> Outcome<u64> {
        let client: BaseConsumer = raw::plain(&self.servers).create()?;
        let mut sum = 0;
        for partition in 0..PARTITIONS {
            let (low, high) = client.fetch_watermarks(name, partition, raw::PATIENCE)?;
            sum += u64::try_from(high - low)?;
        }
        Ok(sum)
    }
}
