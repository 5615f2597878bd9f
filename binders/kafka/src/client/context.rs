//! The callbacks of a client.

use std::{
    error::Error as StdError,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, UNIX_EPOCH},
};

use rdkafka::{
    ClientContext, Statistics,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use super::Link;
use crate::error;

/// Callbacks that every client has, with those that it has by what it is for.
#[derive(Debug)]
pub(crate) struct Context<H> {
    pub(crate) link: Arc<Link>,
    pub(crate) hooks: H,
    /// It was asked for a token, and has given one or said why not.
    has_token: AtomicBool,
}

impl<H> Context<H> {
    pub(crate) fn new(link: &Arc<Link>, hooks: H) -> Self {
        Self {
            link: link.clone(),
            hooks,
            has_token: AtomicBool::new(false),
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
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let binder = self.link.name();
        if facility == "FAIL" {
            // What ends a connection early is told here alone.
            let told = message.split_once("]: ").map_or(message, |(_, told)| told);
            self.link.note(told);
        }
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

    fn stats(&self, statistics: Statistics) {
        self.link.statistics().take(self.link.name(), &statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "mq_kafka::client", binder = self.link.name(), %error, "{reason}");
        self.link.suspect();
        match error.rdkafka_error_code() {
            // A connection that was cut while it was being made; librdkafka tries again.
            Some(RDKafkaErrorCode::SSL) if !error::is_tls_refusal(reason) => self.link.note(reason),
            // With TLS 1.3 the cluster looks at a client's certificate after the connection was made.
            Some(RDKafkaErrorCode::BrokerTransportFailure) if error::is_alert(reason) => {
                self.link.refuse(&error::refused_certificate(reason));
            }
            Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve) => {
                self.link.note(reason);
            }
            code => {
                if code.is_some_and(error::is_login_refusal) {
                    self.link.refuse(&error::refusal(&error, reason));
                }
                self.hooks.trouble(&error);
            }
        }
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn StdError>> {
        self.has_token.store(true, Ordering::Release);
        let token = self
            .link
            .token()
            .map_err(|error| -> Box<dyn StdError> { error })?;
        let lifetime = token
            .expires_at
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(OAuthToken {
            principal_name: match token.principal {
                principal if principal.is_empty() => "mq".to_owned(),
                principal => principal,
            },
            lifetime_ms: i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX),
            token: token.value.into_exposed(),
        })
    }
}

impl ConsumerContext for Context<()> {}

/// Polls a new client until it has asked for its first token: without one, nothing that blocks would ever be answered.
pub(crate) fn prime<H: Hooks>(client: &BaseConsumer<Context<H>>, patience: Duration)
where
    Context<H>: ConsumerContext,
{
    let context = client.context();
    let deadline = Instant::now() + patience;
    while context.link.has_tokens()
        && !context.has_token.load(Ordering::Acquire)
        && Instant::now() < deadline
    {
        drop(client.poll(Duration::from_millis(10)));
    }
}
