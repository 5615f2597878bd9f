//! The kind `broker`, for the registry of binders.

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{
        Binder, BinderContext, BinderFactory, Capabilities, Capability, Connector, ConsumerSpec,
    },
    config::{Node, Problems},
    error::Result,
};

use super::{BrokerBinder, BrokerSettings, ConsumerNative, capabilities, native, of_mode};
use crate::{
    broker::Broker,
    options::{Durability, MAX_PARTITIONS},
};

/// The kind `broker`: an embedded broker in a folder.
#[derive(Clone, Copy, Debug, Default)]
pub struct BrokerFactory;

/// The one value of [`BrokerFactory`], where a reference is wanted.
pub static FACTORY: &BrokerFactory = &BrokerFactory;

impl BinderFactory for BrokerFactory {
    fn kind(&self) -> &'static str {
        "broker"
    }

    fn configure(&self, settings: &Node) -> Result<Box<dyn Connector>, Problems> {
        let own: BrokerSettings = settings.decode()?;
        let mistakes = mistakes(&own).into_iter();
        let problems: Problems = mistakes
            .map(|(key, problem, help)| settings.problem(key, problem, help))
            .collect();
        problems.or(Box::new(BrokerConnector { settings: own }))
    }
}

/// Every setting that is out of range or contradicts another.
fn mistakes(own: &BrokerSettings) -> Vec<(&'static str, &'static str, &'static str)> {
    let checks = [
        (
            own.path.as_os_str().is_empty(),
            "path",
            "is empty",
            "name a folder",
        ),
        (own.partitions == 0, "partitions", "is 0", "set 1 or more"),
        (
            own.partitions > MAX_PARTITIONS,
            "partitions",
            "is over 4,096",
            "set 4096 or less",
        ),
        (
            own.max_messages == 0,
            "max_messages",
            "is 0",
            "set 1 or more",
        ),
        (own.max_bytes == 0, "max_bytes", "is 0", "set 1 or more"),
        (
            !(1 << 16..=1 << 30).contains(&own.segment) || !own.segment.is_multiple_of(4_096),
            "segment",
            "is not 64 KiB to 1 GiB in steps of 4 KiB",
            "set \"64MiB\"",
        ),
        (
            own.max_message > own.segment / 2,
            "max_message",
            "is over half a segment",
            "raise `segment` or lower `max_message`",
        ),
    ];
    let wrong = checks.into_iter().filter(|(wrong, ..)| *wrong);
    wrong
        .map(|(_, key, problem, help)| (key, problem, help))
        .collect()
}

/// Settings that are right.
#[derive(Debug)]
struct BrokerConnector {
    settings: BrokerSettings,
}

#[async_trait]
impl Connector for BrokerConnector {
    fn capabilities(&self, consumer: Option<&ConsumerSpec>) -> Capabilities {
        let all = capabilities(self.settings.max_message);
        // What is wrong with the table is said when the consumer is opened.
        let own = consumer.and_then(|spec| native::<ConsumerNative>(&spec.native).ok());
        let mode = own.and_then(|own| own.mode).unwrap_or_default();
        let all = of_mode(all, mode);
        let options = self.settings.options();
        let mut read = consumer.into_iter().flat_map(|spec| &spec.destinations);
        if read.any(|name| options.of(name).durability == Durability::Memory) {
            // What is lost with the process cannot have happened exactly once.
            return all.without(&[Capability::Durable, Capability::Transactions]);
        }
        all
    }

    async fn connect(&self, _context: BinderContext) -> Result<Arc<dyn Binder>> {
        let broker = Broker::open_with(&self.settings.path, self.settings.options()).await?;
        Ok(Arc::new(BrokerBinder::new(broker).configured()))
    }
}
