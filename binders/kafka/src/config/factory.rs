//! The kind `kafka`, for the registry of binders.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use mq_core::{
    binder::{
        Binder, BinderContext, BinderFactory, Capabilities, Connector, ConsumerSpec, ProducerSpec,
    },
    config::{Node, Problems},
    error::{BoxError, Result},
};
use rdkafka::error::KafkaError;

use super::{
    KafkaSettings, Native, SecuritySettings, Side, Token, TokenSource, Tokens,
    native::{problems, quoted},
    topic::misspelt,
};
use crate::binder::{KafkaBinder, capabilities};

/// The kind `kafka`.
#[derive(Clone, Default)]
pub struct KafkaFactory {
    tokens: Tokens,
}

impl KafkaFactory {
    /// The kind, without a source of tokens of its own.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            tokens: Tokens(None),
        }
    }

    /// Gives tokens to the instances with `mechanism = "oauthbearer"`. Give the factory to the application's builder.
    #[must_use]
    pub fn with_tokens<F>(self, tokens: F) -> Self
    where
        F: Fn() -> Result<Token, BoxError> + Send + Sync + 'static,
    {
        self.with_token_source(Arc::new(tokens))
    }

    /// The same, with a source that is not a closure.
    #[must_use]
    pub fn with_token_source(mut self, tokens: Arc<dyn TokenSource>) -> Self {
        self.tokens = Tokens(Some(tokens));
        self
    }
}

impl fmt::Debug for KafkaFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaFactory")
            .field("tokens", &self.tokens)
            .finish()
    }
}

/// A value of [`KafkaFactory`], where a reference is wanted.
pub static FACTORY: &KafkaFactory = &KafkaFactory::new();

impl BinderFactory for KafkaFactory {
    fn kind(&self) -> &'static str {
        "kafka"
    }

    fn configure(&self, settings: &Node) -> Result<Box<dyn Connector>, Problems> {
        let own: KafkaSettings = settings.decode()?;
        let mut found = Problems::new();
        for (key, problem, help) in mistakes(&own) {
            found.push(settings.problem(key, problem, help));
        }
        let tokens = self.tokens.0.is_some();
        let security = own
            .security
            .iter()
            .flat_map(|security| security.mistakes(tokens));
        for (key, problem, help) in security {
            found.push(settings.problem(&key, &problem, help));
        }
        if let Some(native) = settings.get("native") {
            found.extend(problems(None, native));
        }
        for (name, near) in misspelt(&own) {
            let key = format!("topic.{}", quoted(name));
            found.push(settings.problem(
                &key,
                "is no setting of topics",
                format!("did you mean `{near}`?"),
            ));
        }
        if found.is_empty() {
            found.extend(refused(&own, settings));
        }
        found.or(Box::new(KafkaConnector {
            settings: own,
            tokens: self.tokens.clone(),
        }))
    }
}

/// What librdkafka says of the values.
fn refused(own: &KafkaSettings, node: &Node) -> Problems {
    let mut found = Problems::new();
    for side in [Side::Admin, Side::Consumer, Side::Producer] {
        // Names were checked before.
        let Ok(config) = own.client(side, "mq", &Native::new()) else {
            continue;
        };
        if let Err(KafkaError::ClientConfig(_, problem, name, _)) = config.create_native_config() {
            let (key, subject) = match own.native.contains_key(&name) {
                true => (format!("native.{}", quoted(&name)), String::new()),
                false => (String::new(), format!("set `{name}` to something that ")),
            };
            let text = format!(
                "{subject}librdkafka refuses: {}",
                problem.trim_end_matches(['.', '\n'])
            );
            let help = "correct the value; the ranges are in librdkafka's CONFIGURATION.md";
            found.push(node.problem(&key, &text, help));
        }
    }
    found
}

/// Every setting that is out of range or contradicts another.
fn mistakes(own: &KafkaSettings) -> Vec<(&'static str, &'static str, &'static str)> {
    let is_empty = own
        .servers
        .split(',')
        .all(|server| server.trim().is_empty());
    let checks = [
        (
            is_empty,
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
            own.silence < Duration::from_secs(1),
            "silence",
            "is less than a second",
            "set \"30s\", or at least \"1s\"",
        ),
        (
            !(1_000..=1_000_000_000).contains(&own.max_message),
            "max_message",
            "is not 1,000 to 1,000,000,000 bytes",
            "set \"1MB\"",
        ),
        (
            own.instance
                .as_ref()
                .is_some_and(|name| name.trim().is_empty()),
            "instance",
            "is empty",
            "name the process, the same after a restart, or remove it",
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
    tokens: Tokens,
}

#[async_trait]
impl Connector for KafkaConnector {
    fn capabilities(&self, _consumer: Option<&ConsumerSpec>) -> Capabilities {
        capabilities(&self.settings)
    }

    fn check_consumer(&self, spec: &ConsumerSpec) -> Problems {
        problems(Some(Side::Consumer), &spec.native)
    }

    fn check_producer(&self, spec: &ProducerSpec) -> Problems {
        problems(Some(Side::Producer), &spec.native)
    }

    async fn connect(&self, context: BinderContext) -> Result<Arc<dyn Binder>> {
        let binder =
            KafkaBinder::open(self.settings.clone(), &context, self.tokens.clone()).await?;
        Ok(Arc::new(binder))
    }
}

impl Tokens {
    /// These, or those of the settings.
    pub(crate) fn or_configured(self, security: Option<&SecuritySettings>) -> Self {
        let configured = || super::tokens::configured(security?);
        Self(self.0.or_else(configured))
    }
}
