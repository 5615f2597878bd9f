//! Opening a consumer: the topics are looked up, the client is made, its thread starts.

use std::{sync::Arc, time::Duration};

use mq_core::{
    binder::{Consumer, ConsumerSpec},
    error::{Error, Result},
    policy::Start,
};
use rdkafka::{
    ClientConfig, TopicPartitionList, config::FromClientConfigAndContext, consumer::Consumer as _,
    error::IsError, types::RDKafkaErrorCode,
};
use tokio::{runtime::Handle, sync::oneshot, task::spawn_blocking};

use super::{
    Client, KafkaConsumer, Rebalances, Shared,
    positions::Ends,
    shared::ClientBox,
    start::{Beginning, ends},
    thread::{Reader, Reading},
};
use crate::{
    admin::KafkaAdmin,
    client::{Context, Link, prime},
    error,
    transaction::TransactionPlan,
};

/// What a consumer is made of.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) config: ClientConfig,
    pub(crate) spec: ConsumerSpec,
    pub(crate) link: Arc<Link>,
    pub(crate) timeout: Duration,
    pub(crate) handover: Duration,
    pub(crate) session_timeout: Duration,
    pub(crate) silence: Duration,
    pub(crate) admin: KafkaAdmin,
    pub(crate) transactions: TransactionPlan,
}

pub(crate) async fn open(opening: Opening) -> Result<Box<dyn Consumer>> {
    let opened = spawn_blocking(move || opening.open());
    let consumer = opened
        .await
        .map_err(|error| error::bug("opening a consumer ended early").source(error))??;
    Ok(Box::new(consumer))
}

impl Opening {
    /// Blocks until the topics are known.
    fn open(mut self) -> Result<KafkaConsumer> {
        let shared = Arc::new(Shared::new(
            &self.link,
            &self.spec.binding,
            self.spec.group.as_ref(),
            self.timeout,
        ));
        // librdkafka wants a name even where nothing is committed.
        let name = self.spec.group.as_deref().unwrap_or("mq-anonymous");
        self.config.set("group.id", name);
        let hooks = Rebalances::new(Arc::downgrade(&shared));
        let client: Client =
            Client::from_config_and_context(&self.config, Context::new(&self.link, hooks))
                .map_err(|error| self.named(error::classify("connecting", &error)))?;
        prime(&client, self.timeout);
        let partitions = self.partitions(&client)?;
        let client = Arc::new(ClientBox(client));
        shared.set_client(&client);
        let beginning = self.beginning(&client.0, &partitions)?;
        let reading = if self.spec.group.is_some() {
            self.subscribe(&client.0)?;
            Reading::Group
        } else {
            Reading::Alone(partitions)
        };
        self.start(shared, client, reading, beginning)
    }

    fn named(&self, error: Error) -> Error {
        error.context("binding", &self.spec.binding)
    }

    fn partitions(&self, client: &Client) -> Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for destination in &self.spec.destinations {
            let metadata = client
                .fetch_metadata(Some(destination), self.timeout)
                .map_err(|error| self.named(error::classify("subscribing", &error)))?;
            let Some(topic) = metadata.topics().first() else {
                return Err(self.named(error::no_topic(destination)));
            };
            if let Some(code) = topic.error().filter(IsError::is_error) {
                let code = RDKafkaErrorCode::from(code);
                let error = error::of_code("subscribing", code, &code.to_string());
                return Err(self.named(error.context("destination", destination)));
            }
            for partition in topic.partitions() {
                list.add_partition(destination, partition.id());
            }
        }
        Ok(list)
    }

    /// Where a new group begins. Partitions are shared out later, and what comes meanwhile counts.
    fn beginning(&self, client: &Client, partitions: &TopicPartitionList) -> Result<Beginning> {
        let has_group = self.spec.group.is_some();
        let start = if has_group {
            self.spec.start
        } else {
            Start::Latest
        };
        let ends = match start {
            Start::Latest => ends(client, partitions, has_group, self.timeout)
                .map_err(|error| self.named(error::classify("subscribing", &error)))?,
            _ => Ends::new(),
        };
        Ok(Beginning { start, ends })
    }

    fn subscribe(&self, client: &Client) -> Result<()> {
        let topics: Vec<&str> = self.spec.destinations.iter().map(|name| &**name).collect();
        client
            .subscribe(&topics)
            .map_err(|error| self.named(error::classify("subscribing", &error)))
    }

    fn start(
        self,
        shared: Arc<Shared>,
        client: Arc<ClientBox>,
        reading: Reading,
        beginning: Beginning,
    ) -> Result<KafkaConsumer> {
        let (done, ended) = oneshot::channel();
        let reader = Reader {
            shared: shared.clone(),
            client,
            beginning,
            runtime: Handle::current(),
            handover: self.handover,
            patience: self.session_timeout / 2,
            silence: self.silence,
            destinations: self.spec.destinations,
            admin: self.admin,
        };
        reader.spawn(reading, done)?;
        Ok(KafkaConsumer {
            shared,
            transactions: self.transactions,
            ended: Some(ended),
        })
    }
}
