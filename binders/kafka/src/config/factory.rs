//! The kind `kafka`, for the registry of binders.

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{Binder, BinderContext, BinderFactory, Capabilities, Connector, ConsumerSpec},
    config::{Node, Problems},
    error::Result,
};

use super::KafkaSettings;
use crate::binder::{KafkaBinder, capabilities};

/// The kind `kafka`.
#[derive(Clone, Copy, Debug, Default)]
pub struct KafkaFactory;

/// The one value of [`KafkaFactory`], where a reference is wanted.
pub static FACTORY: &KafkaFactory = &KafkaFactory;

impl BinderFactory for KafkaFactory {
    fn kind(&self) -> &'static str {
        "kafka"
    }

    fn configure(&self, settings: &Node) -> Result<Box<dyn Connector>, Problems> {
        let own: KafkaSettings = settings.decode()?;
        let mistakes = mistakes(&own).into_iter();
        let problems: Problems = mistakes
            .map(|(key, problem, help)| settings.problem(key, problem, help))
            .collect();
        problems.or(Box::new(KafkaConnector { settings: own }))
    }
}

/// Every setting that is out of range or contradicts another.
fn mistakes(own: &KafkaSettings) -> Vec<(&'static str, &'static str, &'static str)> {
    let checks = [
        (
            own.servers
                .split(',')
                .all(|server| server.trim().is_empty()),
            "servers",
            "is empty",
            "name at least one broker, as `host:port`",
        ),
        (
            own.partitions == Some(0),
            "partitions",
            "is 0",
            "set 1 or more",
        ),
        (
            own.replication == Some(0),
            "replication",
            "is 0",
            "set 1 or more",
        ),
        (own.timeout.is_zero(), "timeout", "is 0", "set \"5s\""),
        (
            !(1_000..=1_000_000_000).contains(&own.max_message),
            "max_message",
            "is not 1,000 to 1,000,000,000 bytes",
            "set \"1MB\"",
        ),
    ];
    let wrong = checks.into_iter().filter(|(wrong, ..)| *wrong);
    wrong
        .map(|(_, key, problem, help)| (key, problem, help))
        .collect()
}

/// Settings that are right.
#[derive(Debug)]
struct KafkaConnector {
    settings: KafkaSettings,
}

#[async_trait]
impl Connector for KafkaConnector {
    fn capabilities(&self, _consumer: Option<&ConsumerSpec>) -> Capabilities {
        capabilities(&self.settings)
    }

    async fn connect(&self, context: BinderContext) -> Result<Arc<dyn Binder>> {
        let binder = KafkaBinder::connect(self.settings.clone(), &context).await?;
        Ok(Arc::new(binder))
    }
}
