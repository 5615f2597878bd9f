//! The administrative side: topics, groups, positions, and looking at messages.

mod browse;
mod groups;
mod topics;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use mq_core::{
    binder::{
        Admin, Browsed, Cursor, DestinationInfo, DestinationPlan, GroupInfo, Lag, ProvisionReport,
        ReplayFrom,
    },
    error::Result,
    policy::Provision,
};
use rdkafka::{ClientConfig, admin::AdminClient, config::FromClientConfigAndContext};
use tokio::task::spawn_blocking;

use crate::{
    client::{Context, Link, Plain},
    config::KafkaSettings,
    error,
};

/// What administration works with; clones are the same.
#[derive(Clone)]
pub(crate) struct KafkaAdmin {
    pub(super) settings: Arc<KafkaSettings>,
    pub(super) config: ClientConfig,
    pub(super) client: Arc<Plain>,
    pub(super) admin: Arc<AdminClient<Context<()>>>,
    pub(super) link: Arc<Link>,
}

impl fmt::Debug for KafkaAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaAdmin").finish_non_exhaustive()
    }
}

impl KafkaAdmin {
    pub(crate) fn new(
        settings: &KafkaSettings,
        config: ClientConfig,
        client: Arc<Plain>,
        link: &Arc<Link>,
    ) -> Result<Self> {
        let admin = AdminClient::from_config_and_context(&config, Context::new(link, ()))
            .map_err(|error| error::classify("connecting", &error))?;
        Ok(Self {
            settings: Arc::new(settings.clone()),
            config,
            client,
            admin: Arc::new(admin),
            link: link.clone(),
        })
    }

    pub(super) fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Runs what blocks beside the runtime.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.link.open()?;
        let own = self.clone();
        spawn_blocking(move || work(&own))
            .await
            .map_err(|error| error::bug("administration ended early").source(error))?
    }

    /// Creates or verifies what bindings need.
    pub(crate) async fn provision(
        &self,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        match mode {
            Provision::None => Ok(ProvisionReport::default()),
            Provision::Verify => {
                let plan = plan.to_vec();
                self.blocking(move |own| own.verify(&plan)).await
            }
            _ => {
                let mut report = self.create(plan).await?;
                let plan = plan.to_vec();
                let founded = self.blocking(move |own| own.found_all(&plan)).await?;
                report.created.extend(founded);
                Ok(report)
            }
        }
    }
}

#[async_trait]
impl Admin for KafkaAdmin {
    async fn destinations(&self) -> Result<Vec<DestinationInfo>> {
        self.blocking(Self::list).await
    }

    async fn groups(&self, destination: &str) -> Result<Vec<GroupInfo>> {
        let destination = destination.to_owned();
        self.blocking(move |own| own.groups_of(&destination)).await
    }

    async fn lag(&self, destination: &str, group: &str) -> Result<Lag> {
        let (destination, group) = (destination.to_owned(), group.to_owned());
        self.blocking(move |own| own.lag_of(&destination, &group))
            .await
    }

    async fn browse(
        &self,
        destination: &str,
        cursor: &mut Cursor,
        max: usize,
    ) -> Result<Vec<Browsed>> {
        let (destination, from) = (destination.to_owned(), cursor.clone());
        let (found, next) = self
            .blocking(move |own| own.page(&destination, from, max))
            .await?;
        *cursor = next;
        Ok(found)
    }

    async fn purge(&self, destination: &str) -> Result<u64> {
        self.empty(destination).await
    }

    async fn delete(&self, destination: &str) -> Result<()> {
        self.remove(destination).await
    }

    async fn seek(&self, destination: &str, group: &str, from: ReplayFrom) -> Result<()> {
        let (destination, group) = (destination.to_owned(), group.to_owned());
        self.blocking(move |own| own.move_group(&destination, &group, from))
            .await
    }
}
