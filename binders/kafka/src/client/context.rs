//! The callbacks of a client.

use std::sync::Arc;

use rdkafka::{ClientContext, config::RDKafkaLogLevel, error::KafkaError};

use super::Link;
use crate::error;

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
    /// No broker can be reached.
    fn cut(&self) {}

    /// Something else happened, for example a refused authentication.
    fn trouble(&self, _error: &KafkaError, _reason: &str) {}
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
        if error::is_down(&error) {
            self.link.set(Some(reason.to_owned()));
            self.hooks.cut();
        } else {
            self.hooks.trouble(&error, reason);
        }
    }
}

impl rdkafka::consumer::ConsumerContext for Context<()> {}
