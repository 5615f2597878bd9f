//! The client that asks whether the cluster answers, and that administration uses.

use std::{
    sync::Arc,
    thread::{Builder, JoinHandle, park_timeout},
    time::{Duration, Instant},
};

use mq_core::{binder::Health, error::Result};
use rdkafka::{
    ClientConfig,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer},
    metadata::Metadata,
};

use super::{Context, Link, prime};
use crate::{admin::Pool, error};

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
    connect(config, link).map(Arc::new)
}

/// The same, for one owner.
pub(crate) fn connect(config: &ClientConfig, link: &Arc<Link>) -> Result<Plain> {
    BaseConsumer::from_config_and_context(config, Context::new(link, ()))
        .map_err(|error| error::classify("connecting", &error))
}

impl Probe {
    /// `idle` are clients that are kept for later questions.
    pub(crate) fn start(client: &Arc<Plain>, link: &Arc<Link>, idle: &Arc<Pool>) -> Result<Self> {
        let (client, link, idle) = (client.clone(), link.clone(), idle.clone());
        let thread = Builder::new()
            .name("mq-kafka-probe".to_owned())
            .spawn(move || {
                run(&client, &link, &idle);
                idle.clear();
            })
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

fn run(client: &Plain, link: &Link, idle: &Pool) {
    prime(client, PATIENCE);
    let mut asked: Option<Instant> = None;
    while !link.is_closed() {
        let is_calm = !link.take_suspicion() && !matches!(link.health(), Health::Down(_));
        let is_fresh = asked.is_some_and(|at| at.elapsed() < CALM);
        if !(is_calm && is_fresh) {
            let answer = ask(client);
            // The reason may be among the client's errors.
            serve(client);
            match answer {
                Ok(()) => link.up(),
                Err(reason) => link.down(&reason),
            }
            asked = Some(Instant::now());
        }
        serve(client);
        idle.sweep();
        park_timeout(ALARM);
    }
}

/// Serves the client's errors, its log and its tokens.
fn serve(client: &Plain) {
    while client.poll(Duration::ZERO).is_some() {}
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
