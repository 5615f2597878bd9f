//! An instance: what its clients have in common, and the doors to them.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use mq_core::{
    binder::{
        Admin, Binder, BinderContext, Capabilities, Capability, Consumer, ConsumerSpec,
        DestinationPlan, Health, Naming, Producer, ProducerSpec, ProvisionReport, RetryState,
        SettlementStyle,
    },
    error::Result,
    policy::Provision,
};
use tokio::task::spawn_blocking;

use crate::{
    admin::KafkaAdmin,
    client::{ClientStatistics, Link, Probe, plain},
    config::{HeaderStyle, KafkaSettings, Native, Side, TokenSource, Tokens, table},
    consumer::{self, Opening},
    error,
    producer::{KafkaProducer, Sender},
    transaction::TransactionPlan,
};

/// A connection to a Kafka cluster.
#[derive(Debug)]
pub struct KafkaBinder {
    settings: KafkaSettings,
    application: Arc<str>,
    capabilities: Capabilities,
    link: Arc<Link>,
    admin: KafkaAdmin,
    probe: Probe,
    sender: OnceLock<Arc<Sender>>,
}

/// What every instance can do.
pub(crate) fn capabilities(settings: &KafkaSettings) -> Capabilities {
    Capabilities::new(SettlementStyle::Positional)
        .with(&[
            Capability::Durable,
            Capability::Partitions,
            Capability::AnonymousGroups,
            Capability::Transactions,
            Capability::Seek,
            Capability::Expiry,
            Capability::StableIds,
            Capability::Browse,
            Capability::Lag,
        ])
        .retry_state(RetryState::Bounded(consumer::NOTES))
        .max_message(settings.max_message)
        .naming(match settings.headers {
            HeaderStyle::Mq => Naming::Mq,
            HeaderStyle::Spring => Naming::Spring,
        })
}

/// How long the client waits before it asks once more. A transaction that begins while the marks of the last one are still being written is
/// told to come back: with librdkafka's own 100 ms that would be most of its time.
const BACKOFF: &str = "retry.backoff.ms";

impl KafkaBinder {
    /// An instance with these settings, once it is known whether the cluster is there. If it is not, the instance is down until it is.
    ///
    /// # Errors
    /// librdkafka refuses the settings.
    pub async fn connect(settings: KafkaSettings, context: &BinderContext) -> Result<Self> {
        Self::open(settings, context, Tokens::default()).await
    }

    /// The same with tokens from code, for `mechanism = "oauthbearer"`.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with_tokens(
        settings: KafkaSettings,
        context: &BinderContext,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<Self> {
        Self::open(settings, context, Tokens(Some(tokens))).await
    }

    pub(crate) async fn open(
        settings: KafkaSettings,
        context: &BinderContext,
        tokens: Tokens,
    ) -> Result<Self> {
        let tokens = tokens.or_configured(settings.security.as_ref());
        let link = Arc::new(Link::new(context.name.clone(), settings.headers, tokens));
        let config = settings.client(Side::Admin, &context.application, &Native::new())?;
        let client = plain(&config, &link)?;
        let admin = KafkaAdmin::new(&settings, config, client.clone(), &link);
        let probe = Probe::start(&client, &link, admin.pool())?;
        link.known().await;
        Ok(Self {
            capabilities: capabilities(&settings),
            application: context.application.clone(),
            probe,
            settings,
            link,
            admin,
            sender: OnceLock::new(),
        })
    }

    /// What the clients of the instance have counted last; nothing while `statistics` is not set.
    #[must_use]
    pub fn statistics(&self) -> Vec<ClientStatistics> {
        self.link.statistics().all()
    }

    fn opening(&self, spec: &ConsumerSpec) -> Result<Opening> {
        let native = table(Side::Consumer, &spec.native)?;
        let settings = &self.settings;
        let mut config = settings.client(Side::Consumer, &self.application, &native)?;
        if let Some(instance) = settings.instance.as_ref().filter(|_| spec.group.is_some()) {
            // Several bindings of a process may be in one group.
            config.set("group.instance.id", format!("{instance}.{}", spec.binding));
        }
        Ok(Opening {
            config,
            spec: spec.clone(),
            link: self.link.clone(),
            timeout: settings.timeout,
            handover: settings.handover,
            session_timeout: settings.session_timeout,
            silence: settings.silence,
            admin: self.admin.clone(),
            transactions: self.transactions(spec)?,
        })
    }

    fn transactions(&self, spec: &ConsumerSpec) -> Result<TransactionPlan> {
        let settings = &self.settings;
        let mut config = settings.client(Side::Producer, &self.application, &Native::new())?;
        let instance = settings.instance.clone();
        let instance = instance.unwrap_or_else(|| format!("{:016x}", fastrand::u64(..)));
        let id = format!("{}.{}.{instance}", self.application, spec.binding);
        let limit = settings.transaction_timeout;
        // The client refuses messages that may take longer than their transaction.
        let delivery = settings.delivery_timeout.min(limit);
        config
            .set("transactional.id", id)
            .set("transaction.timeout.ms", limit.as_millis().to_string())
            .set("delivery.timeout.ms", delivery.as_millis().to_string());
        if config.get(BACKOFF).is_none() {
            config.set(BACKOFF, "10");
        }
        Ok(TransactionPlan {
            config,
            link: self.link.clone(),
            timeout: settings.timeout,
            max_message: settings.max_message,
        })
    }

    /// The client that sends: the instance's, or one of its own for a binding that asks for other properties.
    fn sender(&self, native: &Native) -> Result<Arc<Sender>> {
        if let Some(sender) = self.sender.get().filter(|_| native.is_empty()) {
            return Ok(sender.clone());
        }
        let settings = &self.settings;
        let config = settings.client(Side::Producer, &self.application, native)?;
        let sender = Sender::new(config, &self.link, settings.max_message, settings.timeout)?;
        let sender = Arc::new(sender);
        if native.is_empty() {
            return Ok(self.sender.get_or_init(|| sender).clone());
        }
        Ok(sender)
    }
}

#[async_trait]
impl Binder for KafkaBinder {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn provision(
        &self,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        self.link.open()?;
        self.admin.provision(plan, mode).await
    }

    async fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        self.link.open()?;
        if spec.destinations.is_empty() {
            let text = "a consumer reads at least one destination; name one";
            return Err(error::config(text).context("binding", &spec.binding));
        }
        if spec.filter.is_some() {
            return Err(error::unsupported("filters").context("binding", &spec.binding));
        }
        let opened = consumer::open(self.opening(spec)?).await;
        opened.map_err(|error| {
            let purpose = consumer::purpose(&spec.binding, spec.group.as_deref());
            self.link.deny(&purpose, self.link.explain(error))
        })
    }

    async fn producer(&self, spec: &ProducerSpec) -> Result<Arc<dyn Producer>> {
        self.link.open()?;
        let sender = self.sender(&table(Side::Producer, &spec.native)?)?;
        Ok(Arc::new(KafkaProducer::new(
            sender,
            spec.destination.clone(),
        )))
    }

    fn health(&self) -> Health {
        self.link.health()
    }

    fn admin(&self) -> &dyn Admin {
        &self.admin
    }

    async fn close(&self) -> Result<()> {
        let sender = self.sender.get().cloned();
        let flushed = match sender {
            Some(sender) if !self.link.is_closed() => {
                let patience = self.settings.timeout;
                let flushing = spawn_blocking(move || sender.flush(patience));
                flushing
                    .await
                    .map_err(|error| error::bug("flushing ended early").source(error))?
            }
            _ => Ok(()),
        };
        self.link.close();
        self.probe.wake();
        flushed
    }
}
