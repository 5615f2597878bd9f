//! A broker for all tests of this program, and short forms.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mq_core::{
    app::App,
    binder::{
        Action, AssignedLane, Binder, BinderContext, Browsed, Consumer, ConsumerSpec, Cursor,
        DestinationPlan, Event, LaneId, ProducerSpec, Record, Settlement,
    },
    config::Config,
    message::Message,
    policy::Provision,
};
use mq_kafka::{KafkaBinder, KafkaSettings};
use mq_testkit::harness::{Kind, Server};
use tokio::{
    sync::{Mutex, MutexGuard, OnceCell},
    time::{sleep, timeout},
};

/// The longest that something may take which has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The broker; `None` after a printed skip.
async fn server() -> Option<&'static Server> {
    static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();
    let server = SERVER.get_or_init(|| async { Server::available(Kind::Kafka).await.unwrap() });
    server.await.as_ref()
}

/// The address of the broker; `None` after a printed skip.
pub(crate) async fn broker() -> Option<String> {
    server().await.map(Server::addr)
}

/// The listener of the broker that a proxy may stand before, one at a time.
pub(crate) struct Door {
    /// Where the proxy has to listen.
    pub(crate) listen: SocketAddr,
    /// Where it forwards to.
    pub(crate) upstream: SocketAddr,
    _turn: MutexGuard<'static, ()>,
}

pub(crate) async fn door() -> Option<Door> {
    static TURN: Mutex<()> = Mutex::const_new(());
    let (listen, upstream) = server().await?.nodes().first()?.proxied();
    Some(Door {
        listen,
        upstream,
        _turn: TURN.lock().await,
    })
}

/// Everything in a topic that a reader without a group may see.
pub(crate) async fn browse(binder: &KafkaBinder, topic: &str) -> Vec<Browsed> {
    let mut cursor = Cursor::default();
    let mut all = Vec::new();
    loop {
        let page = binder
            .admin()
            .browse(topic, &mut cursor, 1_000)
            .await
            .unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// An application over the binder; `settings` is TOML that follows the instance `main`.
pub(crate) fn app(servers: &str, name: &str, settings: &str) -> App {
    let config = format!(
        "[app]\nname = '{name}'\n[binders.main]\nkind = 'kafka'\nservers = '{servers}'\nsession_timeout = '6s'\n{settings}"
    );
    App::builder()
        .config(Config::toml(config))
        .binder_kind(mq_kafka::FACTORY)
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "it has not come to it: {what}");
}

pub(crate) fn settings(servers: &str) -> KafkaSettings {
    let mut settings = KafkaSettings::default();
    servers.clone_into(&mut settings.servers);
    settings.session_timeout = Duration::from_secs(6);
    settings.delivery_timeout = Duration::from_secs(20);
    settings
}

pub(crate) async fn connect(settings: KafkaSettings) -> Arc<KafkaBinder> {
    let context = BinderContext::new("main", "it");
    Arc::new(KafkaBinder::connect(settings, &context).await.unwrap())
}

/// A name that no other test has.
pub(crate) fn name(word: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{word}-{:x}-{number}", now.as_micros())
}

/// Makes topics as an application does: what is temporary is tried again.
pub(crate) async fn provide(binder: &KafkaBinder, plans: &[DestinationPlan]) {
    let making = async {
        loop {
            match binder.provision(plans, Provision::Create).await {
                Err(error) if error.is_temporary() => {}
                made => return made,
            }
        }
    };
    timeout(2 * PATIENCE, making).await.unwrap().unwrap();
}

pub(crate) async fn topic(binder: &KafkaBinder, word: &str, partitions: u32) -> String {
    let name = name(word);
    provide(
        binder,
        &[DestinationPlan::new(name.as_str()).partitions(partitions)],
    )
    .await;
    name
}

/// Publishes until everything is confirmed.
pub(crate) async fn publish(binder: &KafkaBinder, topic: &str, messages: &[Message]) {
    let producer = binder.producer(&ProducerSpec::new(topic)).await.unwrap();
    for chunk in messages.chunks(1_000) {
        let mut left: Vec<Message> = chunk.to_vec();
        while !left.is_empty() {
            let results = producer.publish(&left).await;
            let failed = left.into_iter().zip(results).filter(|(_, result)| {
                assert!(
                    result.as_ref().is_ok_and(|_| true)
                        || result
                            .as_ref()
                            .is_err_and(mq_core::error::Error::is_temporary),
                    "{result:?}"
                );
                result.is_err()
            });
            left = failed.map(|(message, _)| message).collect();
        }
    }
}

/// A consumer with what it was assigned.
pub(crate) struct Reader {
    pub(crate) consumer: Box<dyn Consumer>,
    pub(crate) lanes: Vec<AssignedLane>,
}

impl Reader {
    pub(crate) async fn open(binder: &KafkaBinder, spec: &ConsumerSpec) -> Self {
        let consumer = binder.consumer(spec).await.unwrap();
        Self {
            consumer,
            lanes: Vec::new(),
        }
    }

    pub(crate) async fn event(&mut self, max: usize) -> (Event, Vec<Record>) {
        let mut records = Vec::new();
        let receiving = self.consumer.receive(&mut records, max);
        let event = timeout(PATIENCE, receiving)
            .await
            .expect("an event")
            .unwrap();
        if let Event::Assigned(lanes) = &event {
            self.lanes
                .retain(|old| lanes.iter().all(|new| new.id != old.id));
            self.lanes.extend(lanes.iter().cloned());
        }
        (event, records)
    }

    /// At least `count` records.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Record> {
        let mut records = Vec::new();
        while records.len() < count {
            let (event, more) = self.event(count - records.len()).await;
            assert!(!matches!(event, Event::Ended(_)), "{event:?}");
            records.extend(more);
        }
        records
    }

    /// Lets another member take lanes from this one; returns it, and what this one has given up.
    pub(crate) async fn share(
        &mut self,
        binder: &KafkaBinder,
        spec: &ConsumerSpec,
    ) -> (Self, Vec<LaneId>) {
        let mut other = Self::open(binder, spec).await;
        let mut gone = Vec::new();
        while gone.is_empty() || other.lanes.is_empty() {
            tokio::select! {
                (event, _) = self.event(1) => if let Event::Revoking { lanes, .. } = event {
                    self.consumer.released(&lanes).await.unwrap();
                    gone.extend(lanes);
                },
                _ = other.event(1) => {}
            }
        }
        self.lanes.retain(|lane| !gone.contains(&lane.id));
        (other, gone)
    }

    /// Commits behind this record.
    pub(crate) async fn commit(&self, record: &Record) -> Vec<mq_core::binder::Unsettled> {
        let settlement = Settlement {
            lane: record.lane,
            position: record.position + 1,
            epoch: record.epoch,
            action: Action::Commit { saved: None },
        };
        self.consumer.settler().settle(&[settlement]).await.unwrap()
    }
}

pub(crate) fn text(record: &Record) -> String {
    String::from_utf8_lossy(record.message.as_bytes()).into_owned()
}
