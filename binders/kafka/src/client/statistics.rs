//! What the clients count.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::Statistics as Native;

/// What one client of an instance has done, as librdkafka counts it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStatistics {
    /// librdkafka's name of the client, for example `billing#consumer-3`.
    pub client: String,
    /// `consumer` or `producer`.
    pub role: String,
    /// How long the client has been there.
    pub age: Duration,
    /// Messages sent.
    pub messages_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Messages received, those included that were not handed over yet.
    pub messages_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Messages that wait to be sent or confirmed.
    pub queued: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// The brokers that it speaks to, by name.
    pub brokers: Vec<BrokerStatistics>,
    /// The partitions that it reads or writes.
    pub partitions: Vec<PartitionStatistics>,
}

/// How a client gets on with a broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerStatistics {
    /// Its name, `host:port/id`.
    pub name: String,
    /// `UP`, or what it is doing instead.
    pub state: String,
    /// The time until an answer, on average over the last interval.
    pub round_trip: Duration,
    /// The same for 99 of 100 requests.
    pub round_trip_p99: Duration,
    /// Requests that were not sent.
    pub errors: u64,
    /// Requests that were not answered in time.
    pub timeouts: u64,
}

/// What a client has of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionStatistics {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// Messages that were fetched and wait for the framework.
    pub fetched: u64,
    /// Positions between what was read and the end, where it reads.
    pub lag: Option<u64>,
}

/// What a client counted last is forgotten after this time: the client is gone.
const KEEP: Duration = Duration::from_secs(600);

type Counted = BTreeMap<String, (Instant, ClientStatistics)>;

/// The last statistics of each client.
#[derive(Debug, Default)]
pub(crate) struct Statistics(Mutex<Counted>);

impl Statistics {
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self, binder: &str, found: &Native) {
        let one = ClientStatistics::from(found);
        one.tell(binder);
        let mut counted = self.lock();
        counted.retain(|_, (at, _)| at.elapsed() < KEEP);
        counted.insert(one.client.clone(), (Instant::now(), one));
    }

    pub(crate) fn all(&self) -> Vec<ClientStatistics> {
        self.lock().values().map(|(_, one)| one.clone()).collect()
    }
}

impl ClientStatistics {
    /// Messages that were fetched and wait for the framework, of all partitions.
    #[must_use]
    pub fn fetched(&self) -> u64 {
        self.partitions.iter().map(|one| one.fetched).sum()
    }

    /// Positions between what was read and the ends of its partitions, in all of them.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.partitions.iter().filter_map(|one| one.lag).sum()
    }

    /// The slowest broker's time until an answer.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        let times = self.brokers.iter().map(|one| one.round_trip);
        times.max().unwrap_or_default()
    }

    /// Requests that were not sent, or not answered in time, to all brokers.
    #[must_use]
    pub fn failures(&self) -> u64 {
        let failures = self.brokers.iter().map(|one| one.errors + one.timeouts);
        failures.sum()
    }

    /// Everything as an event, for whoever makes metrics of events.
    fn tell(&self, binder: &str) {
        tracing::debug!(
            target: "mq_kafka::statistics",
            binder,
            client = self.client,
            role = self.role,
            messages_sent = self.messages_sent,
            bytes_sent = self.bytes_sent,
            messages_received = self.messages_received,
            bytes_received = self.bytes_received,
            queued = self.queued,
            queued_bytes = self.queued_bytes,
            fetched = self.fetched(),
            lag = self.lag(),
            round_trip = ?self.round_trip(),
            failures = self.failures(),
            brokers = self.brokers.len(),
            "counted"
        );
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

impl From<&Native> for ClientStatistics {
    fn from(found: &Native) -> Self {
        let mut brokers: Vec<_> = found
            .brokers
            .values()
            .filter(|one| one.nodeid >= 0)
            .map(broker)
            .collect();
        brokers.sort_by(|one, other| one.name.cmp(&other.name));
        let mut partitions: Vec<_> = found
            .topics
            .values()
            .flat_map(|topic| {
                topic
                    .partitions
                    .values()
                    .map(|one| (topic.topic.as_str(), one))
            })
            .filter_map(|(topic, one)| {
                Some(PartitionStatistics {
                    topic: topic.to_owned(),
                    partition: u32::try_from(one.partition).ok()?,
                    fetched: count(one.fetchq_cnt),
                    lag: u64::try_from(one.consumer_lag).ok(),
                })
            })
            .collect();
        partitions.sort_by(|one, other| {
            (&one.topic, one.partition).cmp(&(&other.topic, other.partition))
        });
        Self {
            client: found.name.clone(),
            role: found.client_type.clone(),
            age: Duration::from_micros(count(found.age)),
            messages_sent: count(found.txmsgs),
            bytes_sent: count(found.txmsg_bytes),
            messages_received: count(found.rxmsgs),
            bytes_received: count(found.rxmsg_bytes),
            queued: found.msg_cnt,
            queued_bytes: found.msg_size,
            brokers,
            partitions,
        }
    }
}

fn broker(found: &rdkafka::statistics::Broker) -> BrokerStatistics {
    let time = |pick: fn(&rdkafka::statistics::Window) -> i64| {
        Duration::from_micros(found.rtt.as_ref().map(pick).map(count).unwrap_or_default())
    };
    BrokerStatistics {
        name: found.name.clone(),
        state: found.state.clone(),
        round_trip: time(|window| window.avg),
        round_trip_p99: time(|window| window.p99),
        errors: found.txerrs,
        timeouts: found.req_timeouts,
    }
}
