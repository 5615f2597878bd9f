//! The client that asks whether the cluster answers, and that administration uses.

use std::{
    sync::Arc,
    thread::{Builder, JoinHandle, park_timeout},
    time::{Duration, Instant},
};

use mq_core::error::Result;
use rdkafka::{
    ClientConfig,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer},
    metadata::Metadata,
};

use super::{Context, Link};
use crate::error;

/// While all is well, the cluster is asked this often.
const CALM: Duration = Duration::from_secs(5);
/// After trouble, this often.
const ALARM: Duration = Duration::from_millis(250);
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(2);
/// A topic that every cluster has once a group has committed; asking for it creates nothing.
const ANY_TOPIC: &str = "__consumer_offsets";

/// A client without a group.
pub(crate) type Plain = BaseConsumer<Context<()>>;

/// Asks for metadata, from a thread of its own while the instance is open.
#[derive(Debug)]
pub(crate) struct Probe {
    thread: Option<JoinHandle<()>>,
}

/// A client for questions.
pub(crate) fn plain(config: &ClientConfig, link: &Arc<Link>) -> Result<Arc<Plain>> {
    let client = BaseConsumer::from_config_and_context(config, Context::new(link, ()))
        .map_err(|error| error::classify("connecting", &error))?;
    Ok(Arc::new(client))
}

impl Probe {
    pub(crate) fn start(client: &Arc<Plain>, link: &Arc<Link>) -> Result<Self> {
        let (client, link) = (client.clone(), link.clone());
        let thread = Builder::new()
            .name("mq-kafka-probe".to_owned())
            .spawn(move || run(&client, &link))
            .map_err(|error| error::bug("a thread cannot be started").source(error))?;
        Ok(Self {
            thread: Some(thread),
        })
    }

    /// The thread sees that the instance was closed, and ends.
    pub(crate) fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

fn run(client: &Plain, link: &Link) {
    let mut asked: Option<Instant> = None;
    while !link.is_closed() {
        let is_calm = !link.take_suspicion() && link.health() == mq_core::binder::Health::Up;
        let is_fresh = asked.is_some_and(|at| at.elapsed() < CALM);
        if !(is_calm && is_fresh) {
            link.set(ask(client).err());
            asked = Some(Instant::now());
        }
        // Serves the client's errors and log.
        while client.poll(Duration::ZERO).is_some() {}
        park_timeout(ALARM);
    }
}

fn ask(client: &Plain) -> Result<(), String> {
    let metadata: Metadata = client
        .fetch_metadata(Some(ANY_TOPIC), PATIENCE)
        .map_err(|error| error::classify("asking for metadata", &error).to_string())?;
    if metadata.brokers().is_empty() {
        return Err("the cluster has no broker".to_owned());
    }
    Ok(())
}
