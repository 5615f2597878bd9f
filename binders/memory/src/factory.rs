//! The kind `memory`, for the registry of binders.

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{Binder, BinderContext, BinderFactory, Capabilities, Connector, ConsumerSpec},
    config::{Node, Problems},
    error::Result,
};

use crate::{
    builder::MemoryBuilder,
    config::{MemorySettings, Mistake},
};

/// The kind `memory`; each instance has a broker of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryFactory;

/// The one value of [`MemoryFactory`], where a reference is wanted.
pub static FACTORY: &MemoryFactory = &MemoryFactory;

impl BinderFactory for MemoryFactory {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn configure(&self, settings: &Node) -> Result<Box<dyn Connector>, Problems> {
        let own: MemorySettings = settings.decode()?;
        let mistakes = own.mistakes().into_iter();
        let problems: Problems = mistakes
            .map(|Mistake(key, problem, help)| settings.problem(key, problem, help))
            .collect();
        problems.or(Box::new(MemoryConnector { settings: own }))
    }
}

/// Settings that are right.
#[derive(Debug)]
struct MemoryConnector {
    settings: MemorySettings,
}

#[async_trait]
impl Connector for MemoryConnector {
    fn capabilities(&self, _consumer: Option<&ConsumerSpec>) -> Capabilities {
        self.settings.capabilities()
    }

    async fn connect(&self, context: BinderContext) -> Result<Arc<dyn Binder>> {
        let builder = MemoryBuilder::new(self.settings.clone()).clock(context.clock);
        Ok(Arc::new(builder.build()?))
    }
}

#[cfg(test)]
mod tests {
    use mq_core::{binder::Capability, config::Config};

    use super::*;

    fn configure(settings: &str) -> Result<Box<dyn Connector>, Problems> {
        let config = Config::toml(format!("[binders.main]\nkind = 'memory'\n{settings}"));
        FACTORY.configure(&config.settings()?.0.binders["main"].rest)
    }

    #[tokio::test]
    async fn an_instance_comes_from_its_settings() {
        let connector = configure("positional = true").unwrap();
        let declared = connector.capabilities(None);
        assert!(!declared.settles_each() && !declared.has(Capability::DeadLetter));
        let binder = connector
            .connect(BinderContext::new("main", "test"))
            .await
            .unwrap();
        assert_eq!(binder.capabilities(), &declared);
    }

    #[test]
    fn wrong_settings_are_refused_with_their_place_before_anything_is_connected() {
        let problems = configure("retain = 1\npartitions = 0")
            .unwrap_err()
            .to_string();
        assert!(
            problems.contains("partitions") && problems.contains("line 4"),
            "{problems}"
        );
        assert!(configure("colour = 'red'").is_err());
    }
}
