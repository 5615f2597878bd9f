//! The administrative side: topics, groups, positions, and looking at messages.

mod browse;
mod drift;
mod ends;
mod groups;
mod handled;
mod lag;
mod marks;
mod members;
mod pool;
mod provision;
mod reader;
mod together;
mod topics;

pub(crate) use pool::Pool;

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use mq_core::{
    binder::{
        Admin, Browsed, Cursor, DestinationInfo, DestinationPlan, GroupInfo, Lag, ProvisionReport,
        ReplayFrom,
    },
    error::{Error, ErrorKind, Result},
    policy::Provision,
};
use rdkafka::{ClientConfig, admin::AdminClient, config::FromClientConfigAndContext};
use tokio::task::spawn_blocking;

use crate::{
    client::{self, Context, Link, Plain, prime},
    config::KafkaSettings,
    error,
};

/// The client that changes topics.
pub(super) type Changes = AdminClient<Context<()>>;

/// What administration works with; clones are the same.
#[derive(Clone)]
pub(crate) struct KafkaAdmin {
    pub(super) settings: Arc<KafkaSettings>,
    pub(super) config: ClientConfig,
    pub(super) client: Arc<Plain>,
    pub(super) link: Arc<Link>,
    pub(super) pool: Arc<Pool>,
    /// Held while messages are marked.
    pub(super) marking: Arc<Mutex<()>>,
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
    ) -> Self {
        Self {
            settings: Arc::new(settings.clone()),
            config,
            client,
            link: link.clone(),
            pool: Arc::default(),
            marking: Arc::default(),
        }
    }

    /// Clients that are kept for later questions.
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// A client for questions.
    pub(super) fn connect(&self, config: &ClientConfig) -> Result<Plain> {
        let client = client::connect(config, &self.link)?;
        prime(&client, self.timeout());
        Ok(client)
    }

    /// A client that changes topics. It is made for the occasion: nobody serves its log.
    pub(super) fn changes(&self) -> Result<Changes> {
        if self.link.has_tokens() {
            let text = "topics cannot be changed with `mechanism = \"oauthbearer\"`: this client's administration takes no tokens; create them with other tools, and set `provision = \"verify\"`";
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        AdminClient::from_config_and_context(&self.config, Context::new(&self.link, ()))
            .map_err(|error| error::classify("connecting", &error))
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
            Provision::Verify => self.verify(plan).await,
            _ => self.create(plan).await,
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

    async fn mark_handled(&self, destination: &str, partition: u32, position: u64) -> Result<()> {
        let destination = destination.to_owned();
        self.blocking(move |own| own.mark(&destination, partition, position))
            .await
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
