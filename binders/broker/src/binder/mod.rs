//! The binder over the broker: `kind = "broker"`.

mod admin;
mod consumer;
mod factory;
mod producer;
mod session;
mod settings;
mod transaction;

pub use factory::{BrokerFactory, FACTORY};
pub use settings::BrokerSettings;

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{
        Admin, Binder, Capabilities, Capability, Consumer, ConsumerSpec, DestinationPlan, Drift,
        Health, Producer, ProducerSpec, ProvisionReport, RetryState, SettlementStyle,
    },
    config::Node,
    error::{Error, ErrorKind, Result},
    policy::Provision,
    units,
};
use serde::Deserialize;
use session::Session;

use crate::{
    broker::Broker,
    engine::{DiskRoom, MAX_SAVED},
    error,
    options::{DestinationOptions, GroupMode},
};

/// A binder whose broker is a folder of this process.
///
/// Clones are the same instance.
#[derive(Clone, Debug)]
pub struct BrokerBinder {
    pub(crate) broker: Broker,
    session: Arc<Session>,
    /// Whether closing the instance closes the broker.
    is_owner: bool,
    capabilities: Capabilities,
    /// How groups hand out whose consumers do not say.
    mode: GroupMode,
    /// Whether consumers may say otherwise: their capabilities are then asked of the settings.
    is_configured: bool,
}

impl BrokerBinder {
    /// Over an open broker, which [`Binder::close`] closes.
    #[must_use]
    pub fn new(broker: Broker) -> Self {
        Self {
            is_owner: true,
            ..Self::beside(broker)
        }
    }

    /// An instance over an open broker that others use too: closing the instance leaves the broker open.
    #[must_use]
    pub fn beside(broker: Broker) -> Self {
        let max = broker.shared.options.max_message;
        Self {
            session: Arc::new(Session::new(broker.shared.clone())),
            broker,
            is_owner: false,
            capabilities: capabilities(max),
            mode: GroupMode::default(),
            is_configured: false,
        }
    }

    /// Sets how groups hand out whose consumers do not say (`native.mode`); [`Key`](GroupMode::Key) by default.
    #[must_use]
    pub fn mode(mut self, mode: GroupMode) -> Self {
        self.mode = mode;
        self.capabilities = of_mode(self.capabilities, mode);
        self
    }

    /// An instance that was made from settings.
    fn configured(mut self) -> Self {
        self.is_configured = true;
        self
    }

    /// How the group of a consumer hands out.
    fn mode_of(&self, native: &ConsumerNative) -> Result<GroupMode> {
        let mode = native.mode.unwrap_or(self.mode);
        if (mode == GroupMode::Log) == (self.mode == GroupMode::Log) || self.is_configured {
            return Ok(mode);
        }
        let text = "an instance that was made by hand settles either by message or by position; use `BrokerBinder::mode` for all of its consumers, or an instance from the settings";
        Err(error::config(text))
    }

    /// The broker, as long as the instance is open.
    fn open(&self) -> Result<&Broker> {
        self.session.open()?;
        Ok(&self.broker)
    }

    /// The broker itself.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }
}

/// What every instance can do.
fn capabilities(max_message: u64) -> Capabilities {
    Capabilities::new(SettlementStyle::PerMessage)
        .with(&[
            Capability::Durable,
            Capability::Partitions,
            Capability::KeyOrder,
            Capability::AnonymousGroups,
            Capability::DelayedRedelivery,
            Capability::DelayedDelivery,
            Capability::DeadLetter,
            Capability::DeliveryCount,
            Capability::Extend,
            Capability::Transactions,
            Capability::Seek,
            Capability::Expiry,
            Capability::StableIds,
            Capability::Browse,
            Capability::Lag,
        ])
        .retry_state(RetryState::Full)
        .max_message(max_message)
}

/// What a consumer of a group of this mode can have.
fn of_mode(all: Capabilities, mode: GroupMode) -> Capabilities {
    match mode {
        GroupMode::Key => all,
        GroupMode::Queue | GroupMode::Exclusive => all.without(&[Capability::KeyOrder]),
        GroupMode::Log => of_log(all),
    }
}

/// In a log there is nothing that concerns single messages.
fn of_log(capabilities: Capabilities) -> Capabilities {
    let mut capabilities = capabilities
        .without(&[
            Capability::KeyOrder,
            Capability::DelayedRedelivery,
            Capability::DeadLetter,
            Capability::DeliveryCount,
            Capability::Extend,
        ])
        .retry_state(RetryState::Bounded(MAX_SAVED));
    capabilities.settlement = SettlementStyle::Positional;
    capabilities
}

/// What a consumer's `native` table may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ConsumerNative {
    /// Where the broker moves dead letters; `<destination>.<group>.dlq` by default.
    dead_letter: Option<String>,
    /// How the group hands out; `"key"` by default, for a new group.
    mode: Option<GroupMode>,
    /// Bytes that are unsettled at a time, at most; without a limit by default.
    #[serde(with = "units::optional_bytes")]
    window_bytes: Option<u64>,
}

/// What a producer's `native` table may hold: nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ProducerNative {}

/// Reads a `native` table.
fn native<T: Default + serde::de::DeserializeOwned>(table: &Node) -> Result<T> {
    if table.is_empty() {
        return Ok(T::default());
    }
    table.decode().map_err(error::native)
}

#[async_trait]
impl Binder for BrokerBinder {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn provision(
        &self,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        self.open()?;
        self.session
            .fix(matches!(mode, Provision::None | Provision::Verify));
        match mode {
            Provision::None => Ok(ProvisionReport::default()),
            Provision::Verify => self.verify(plan),
            _ => self.create(plan).await,
        }
    }

    async fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        let native: ConsumerNative = native(&spec.native)?;
        if spec.destinations.is_empty() {
            let text = "a consumer reads at least one destination; name one";
            return Err(error::config(text).context("binding", &spec.binding));
        }
        if spec.filter.is_some() {
            return Err(error::unsupported("filters").context("binding", &spec.binding));
        }
        let mode = self.mode_of(&native)?;
        let own = consumer::Own {
            mode: (mode != GroupMode::default()).then_some(mode),
            letters: native.dead_letter.map(Into::into),
            window_bytes: native.window_bytes,
        };
        consumer::open(&self.session, spec, own).await
    }

    async fn producer(&self, spec: &ProducerSpec) -> Result<Arc<dyn Producer>> {
        native::<ProducerNative>(&spec.native)?;
        self.open()?;
        Ok(producer::open(&self.session, spec))
    }

    fn health(&self) -> Health {
        match self.open() {
            Err(error) => Health::Down(error.message().to_owned()),
            Ok(broker) => match broker.disk_room() {
                DiskRoom::Enough => Health::Up,
                DiskRoom::Low => {
                    Health::Degraded("the disk has little room: publications are slowed".to_owned())
                }
                DiskRoom::Out => {
                    Health::Degraded("the disk is nearly full: publications are refused".to_owned())
                }
            },
        }
    }

    fn admin(&self) -> &dyn Admin {
        self
    }

    async fn close(&self) -> Result<()> {
        self.session.close();
        if self.is_owner {
            self.broker.close().await?;
        }
        Ok(())
    }
}

impl BrokerBinder {
    async fn create(&self, plan: &[DestinationPlan]) -> Result<ProvisionReport> {
        let mut report = ProvisionReport::default();
        for wanted in plan {
            if let Some(found) = self.broker.destination(&wanted.name) {
                self.adjust(wanted, &found, &mut report).await?;
            } else {
                let mut options = self.broker.shared.options.of(&wanted.name).clone();
                options.partitions = wanted.partitions.unwrap_or(options.partitions);
                self.broker.create(&wanted.name, &options).await?;
                report.created.push(wanted.name.to_string());
            }
            for group in &wanted.groups {
                if !self.has_group(&wanted.name, group) {
                    self.broker
                        .create_group_as(&wanted.name, group, self.mode)
                        .await?;
                    report.created.push(format!("{}.{group}", wanted.name));
                }
            }
        }
        Ok(report)
    }

    fn verify(&self, plan: &[DestinationPlan]) -> Result<ProvisionReport> {
        let mut report = ProvisionReport::default();
        let mut missing = Vec::new();
        for wanted in plan {
            match self.broker.destination(&wanted.name) {
                None => missing.push(format!("destination `{}`", wanted.name)),
                Some(found) => {
                    report.drift.extend(self.drift(wanted, &found));
                    let groups = wanted.groups.iter();
                    let absent = groups.filter(|group| !self.has_group(&wanted.name, group));
                    missing.extend(
                        absent.map(|group| format!("group `{group}` of `{}`", wanted.name)),
                    );
                }
            }
        }
        if !report.drift.is_empty() {
            let all: Vec<String> = report.drift.iter().map(Drift::to_string).collect();
            let text = format!(
                "{}; `provision = \"verify\"` changes nothing: ask for what is there, or set `provision = \"create\"`",
                all.join("; ")
            );
            return Err(Error::new(ErrorKind::Config, text));
        }
        if missing.is_empty() {
            return Ok(report);
        }
        let text = format!(
            "the broker lacks what `provision = \"verify\"` expects: {}; create it, or set `provision = \"create\"`",
            missing.join(", ")
        );
        Err(Error::new(ErrorKind::NotFound, text))
    }

    /// What a destination is to be like, where somebody has said so.
    fn wanted(&self, plan: &DestinationPlan, found: &DestinationOptions) -> DestinationOptions {
        let named = &self.broker.shared.options.named;
        let mut wanted = named.get(&*plan.name).unwrap_or(found).clone();
        wanted.partitions = plan.partitions.unwrap_or(wanted.partitions);
        wanted
    }

    fn drift(&self, plan: &DestinationPlan, found: &DestinationOptions) -> Vec<Drift> {
        self.wanted(plan, found).differences(&plan.name, found)
    }

    /// Gives a destination the options that the settings have for it by name, as far as it can get them; what a binding asks for beyond
    /// that is a difference.
    async fn adjust(
        &self,
        plan: &DestinationPlan,
        found: &DestinationOptions,
        report: &mut ProvisionReport,
    ) -> Result<()> {
        let named = self.broker.shared.options.named.get(&*plan.name);
        if let Some(named) = named.filter(|named| *named != found) {
            match self.broker.change(&plan.name, named).await {
                Ok(()) => tracing::info!(destination = &*plan.name, "options are changed"),
                // The others of the plan do not depend on it, and messages may be settled until the next start.
                Err(error) if self.broker.check().is_ok() => {
                    tracing::warn!(%error, destination = &*plan.name, "options cannot be changed");
                }
                Err(error) => return Err(error),
            }
        }
        let now = self.broker.destination(&plan.name);
        report
            .drift
            .extend(self.drift(plan, now.as_ref().unwrap_or(found)));
        Ok(())
    }

    fn has_group(&self, destination: &str, group: &str) -> bool {
        let groups = self.broker.groups(destination).unwrap_or_default();
        groups.iter().any(|found| *found.name == *group)
    }
}
