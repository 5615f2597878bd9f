//! The callbacks of a client.

use std::sync::Arc;

use rdkafka::{ClientContext, config::RDKafkaLogLevel, error::KafkaError};

use super::Link;
/// Callbacks that every client has, with those that it has by what it is for.
#[derive(Debug)]
pub(crate) struct Context<H> {
    pub(crate) link: Arc<Link>,
    pub(crate) hooks: H,
}

impl<H> Context<H> {
    pub(crate) fn new(link: &Arc<Link>, hooks: H) -> Self {
        Self {
            link: link.clone(),
            hooks,
        }
    }
}

/// What a client does about the errors that librdkafka reports globally.
pub(crate) trait Hooks: Send + Sync + 'static {
    /// Something happened, for example a refused authentication. Whether brokers are there is the probe's question.
    fn trouble(&self, _error: &KafkaError) {}
}

impl Hooks for () {}

impl<H: Hooks> ClientContext for Context<H> {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let binder = self.link.name();
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => {
                tracing::warn!(target: "mq_kafka::client", binder, facility, "{message}");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
                tracing::info!(target: "mq_kafka::client", binder, facility, "{message}");
            }
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "mq_kafka::client", binder, facility, "{message}");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "mq_kafka::client", binder = self.link.name(), %error, "{reason}");
        self.link.suspect();
        self.hooks.trouble(&error);
    }
}

impl rdkafka::consumer::ConsumerContext for Context<()> {}
