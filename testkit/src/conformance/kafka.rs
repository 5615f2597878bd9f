//! A Kafka broker as a subject.

mod expel;
mod forget;
mod frames;
mod wire;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use mq_core::{
    binder::BinderContext,
    error::{Error, ErrorKind, Result},
};
use mq_kafka::{KafkaBinder, KafkaSettings};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Mutex, OnceCell},
    task::JoinSet,
};

use super::{Fault, Subject};
use crate::harness::{Cut, Incoming, Proxy, ProxyOptions, Server};
use forget::Memory;
use wire::Wire;

/// The longest that something may take which has to happen: a group notices only after its session that a member is gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// The shortest session that a broker allows by its defaults.
const SESSION: Duration = Duration::from_secs(6);
/// How long an answer of the broker may take.
const TIMEOUT: Duration = Duration::from_secs(8);

/// A broker with a proxy before it; everyone in the process shares it.
#[derive(Debug)]
struct Place {
    server: Mutex<Server>,
    address: String,
    /// The broker itself, without the proxy.
    behind: String,
    /// Takes connections, and cuts them.
    proxy: Proxy,
    /// Behind that one; loses answers.
    wire: Wire,
    /// Commits that are to be forgotten.
    forgetting: Mutex<JoinSet<Result<()>>>,
}

impl Place {
    async fn open() -> Result<Self> {
        let server = Server::kafka().await?;
        let node = server.nodes().first();
        let node = node.ok_or_else(|| unsupported("the broker is not ours"))?;
        let (listen, upstream) = node.proxied();
        let wire = Wire::open(upstream).await;
        let wire = wire.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "the proxy cannot listen").source(error)
        })?;
        let options = ProxyOptions::default().port(listen.port());
        let proxy = options.to(wire.addr.to_string())?;
        Ok(Self {
            behind: server.addr(),
            address: proxy.addr().to_string(),
            server: Mutex::new(server),
            proxy,
            wire,
            forgetting: Mutex::default(),
        })
    }

    async fn order(&self, fault: Fault, destination: String) -> Result<()> {
        match fault {
            Fault::Cut => {
                self.proxy.incoming(Incoming::Refuse);
                self.proxy.cut(Cut::Reset);
            }
            // What was ordered for a destination is for the case that it belongs to.
            Fault::Mend => self.proxy.heal(),
            Fault::Restart => {
                let mut server = self.server.lock().await;
                server.kill().await?;
                server.start().await?;
            }
            Fault::LoseLanes => expel::expel(&self.behind, destination).await?,
            Fault::LoseConfirm => self.wire.lose_confirm(&destination),
            Fault::LoseAck => {
                let memory = Memory::of(&self.behind, &destination).await?;
                let told = self.wire.next_commit(&destination);
                let mut forgetting = self.forgetting.lock().await;
                forgetting.spawn(memory.come_back(told));
            }
            Fault::RefusePublish => {
                let text = "a broker cannot be told to refuse one message of several";
                return Err(unsupported(text));
            }
        }
        Ok(())
    }
}

fn unsupported(text: &str) -> Error {
    Error::new(ErrorKind::Unsupported, text)
}

/// The runtime of the broker's proxy, which outlives the runtimes of single tests.
fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::result::Result<Runtime, String>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        let mut runtime = Builder::new_multi_thread();
        runtime
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| error.to_string())
    });
    made.as_ref()
        .map_err(|text| Error::new(ErrorKind::Bug, text.clone()))
}

/// The broker of this process, which is started for whoever asks first.
async fn place() -> Result<&'static Place> {
    static PLACE: OnceCell<Place> = OnceCell::const_new();
    PLACE
        .get_or_try_init(|| async {
            let opening = runtime()?.spawn(Place::open());
            opening.await.map_err(|error| {
                Error::new(ErrorKind::Bug, "starting Kafka has panicked").source(error)
            })?
        })
        .await
}

/// Settings with short times, for a broker at this address.
fn settings(address: &str) -> KafkaSettings {
    let mut settings = KafkaSettings::default();
    address.clone_into(&mut settings.servers);
    settings.session_timeout = SESSION;
    settings.timeout = TIMEOUT;
    settings.delivery_timeout = Duration::from_secs(8);
    // A machine that is busy with other tests takes its time; whoever drops a step aborts it at once.
    settings.transaction_timeout = Duration::from_secs(30);
    settings.handover = Duration::from_secs(5);
    settings
}

async fn connect(address: &str) -> Result<KafkaBinder> {
    KafkaBinder::connect(settings(address), &BinderContext::new("kafka", "suite")).await
}

/// Instances on a Kafka broker that is started for this process, with connections that can be cut and a broker that can be killed.
#[must_use]
pub fn kafka_subject() -> Subject {
    let connect = || async { connect(&place().await?.address).await };
    let possible = [
        Fault::Cut,
        Fault::Restart,
        Fault::LoseConfirm,
        Fault::LoseAck,
        Fault::LoseLanes,
    ];
    Subject::new("kafka", connect)
        .patience(PATIENCE)
        .shared()
        .faults(&possible, |fault, destination| async move {
            let place = place().await?;
            let ordering = runtime()?.spawn(async move { place.order(fault, destination).await });
            ordering.await.map_err(|error| {
                Error::new(ErrorKind::Bug, "making trouble has panicked").source(error)
            })?
        })
}

/// Instances on a Kafka cluster that somebody else runs.
#[must_use]
pub fn kafka_subject_at(address: &str) -> Subject {
    let address: Arc<str> = address.into();
    let connect = move || {
        let address = address.clone();
        async move { connect(&address).await }
    };
    Subject::new("kafka", connect).patience(PATIENCE).shared()
}
