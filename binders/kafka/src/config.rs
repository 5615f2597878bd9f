//! The settings of an instance of `kind = "kafka"`, and how it comes into being from them.

mod client;
mod factory;
mod native;
mod properties;
mod security;
mod tokens;
mod topic;

pub use factory::{FACTORY, KafkaFactory};
pub(crate) use native::{Native, Side, table};
pub use security::{Mechanism, SecuritySettings};
pub(crate) use tokens::Tokens;
pub use tokens::{Token, TokenSource};
pub(crate) use topic::setting_name;

use std::{collections::BTreeMap, fmt, time::Duration};

use mq_core::units;
use serde::Deserialize;

/// The settings of an instance of `kind = "kafka"`.
///
/// ```toml
/// [binders.main]
/// kind = "kafka"
/// servers = "kafka-1:9092,kafka-2:9092"
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct KafkaSettings {
    /// Brokers to begin with, as `host:port` with commas between; `localhost:9092` by default.
    pub servers: String,
    /// The name that the brokers see; the application's by default.
    pub client_id: Option<String>,
    /// Partitions of topics that are created and for which nobody asks for another number; the broker's default by default.
    pub partitions: Option<u32>,
    /// Replicas of topics that are created; the broker's default by default.
    pub replication: Option<u16>,
    /// Whether topics with fewer partitions than are asked for get more; `false` by default, which reports the difference.
    ///
    /// More partitions send keys elsewhere: what is in the topic keeps its place, and the order of a key is not kept across the change.
    pub grow: bool,
    /// Settings of topics that are created, by Kafka's names, for example `"retention.ms" = "604800000"`.
    /// Topics that are there are compared with them.
    pub topic: BTreeMap<String, Scalar>,
    /// The largest message with key and headers; 1,000,000 bytes by default, as in the broker.
    #[serde(with = "units::bytes")]
    pub max_message: u64,
    /// How long a request may take; 5 s by default.
    #[serde(with = "units::duration")]
    pub timeout: Duration,
    /// How long the group waits for a member that is silent; 10 s by default.
    #[serde(with = "units::duration")]
    pub session_timeout: Duration,
    /// How long work on a partition that goes to another member may take to end; 10 s by default.
    #[serde(with = "units::duration")]
    pub handover: Duration,
    /// A consumer that receives nothing for so long, although the cluster has messages for it, is made anew; 30 s by default, at least 1 s.
    ///
    /// Whether there are messages is asked of the cluster, and nothing is done where there are none, or where the application takes none.
    #[serde(with = "units::duration")]
    pub silence: Duration,
    /// How groups are coordinated: `"classic"` by default, `"consumer"` for KIP-848.
    pub group_protocol: GroupProtocol,
    /// The name of this process among those that run the same application, the same after a restart.
    ///
    /// With it, groups know a member again (static membership, KIP-345), and a transaction that was open at a crash is ended at
    /// once. Not set by default.
    pub instance: Option<String>,
    /// How messages are compressed; `"lz4"` by default.
    pub compression: Compression,
    /// How long a message may wait for others before it is sent; 1 ms by default.
    #[serde(with = "units::duration")]
    pub linger: Duration,
    /// How long sending a message may take with all repetitions; 30 s by default.
    #[serde(with = "units::duration")]
    pub delivery_timeout: Duration,
    /// How long a transaction may take; 10 s by default, as in Kafka Streams. What a process leaves open that was killed keeps its successor
    /// waiting for this long, unless both have the same `instance`.
    #[serde(with = "units::duration")]
    pub transaction_timeout: Duration,
    /// Bytes that are fetched ahead for each consumer; 16 MiB by default.
    #[serde(with = "units::bytes")]
    pub fetch_ahead: u64,
    /// How connections are encrypted, and who the client is; neither by default.
    pub security: Option<SecuritySettings>,
    /// How the framework's headers are called, and how keys choose partitions; `"mq"` by default.
    pub headers: HeaderStyle,
    /// How often the clients count what they do; never by default. See [`KafkaBinder::statistics`](crate::KafkaBinder::statistics).
    #[serde(with = "units::duration")]
    pub statistics: Duration,
    /// Properties of librdkafka for every client of the instance, checked by name.
    pub native: BTreeMap<String, Scalar>,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            servers: "localhost:9092".to_owned(),
            client_id: None,
            partitions: None,
            replication: None,
            grow: false,
            topic: BTreeMap::new(),
            max_message: 1_000_000,
            timeout: Duration::from_secs(5),
            session_timeout: Duration::from_secs(10),
            handover: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            group_protocol: GroupProtocol::Classic,
            instance: None,
            compression: Compression::Lz4,
            linger: Duration::from_millis(1),
            delivery_timeout: Duration::from_secs(30),
            transaction_timeout: Duration::from_secs(10),
            fetch_ahead: 16 << 20,
            security: None,
            headers: HeaderStyle::Mq,
            statistics: Duration::ZERO,
            native: BTreeMap::new(),
        }
    }
}

/// How groups are coordinated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GroupProtocol {
    /// By the members, with cooperative-sticky assignment (KIP-429).
    #[default]
    Classic,
    /// By the broker (KIP-848); Kafka 4.0 or newer.
    Consumer,
}

/// How messages are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// As gzip.
    Gzip,
    /// As snappy.
    Snappy,
    /// As LZ4: little processor time.
    #[default]
    Lz4,
    /// As Zstandard: the smallest.
    Zstd,
}

impl Compression {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// How the framework's headers are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeaderStyle {
    /// `mq-…`, as on every binder.
    #[default]
    Mq,
    /// As a Spring Cloud Stream application writes and expects them; selects its partitioner and its names of dead-letter topics too.
    Spring,
}

/// The value of a property.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text.
    Text(String),
}

/// Texts are hidden: a password may be among them.
impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(_) | Self::Integer(_) | Self::Float(_) => fmt::Display::fmt(self, f),
            Self::Text(_) => f.write_str("***"),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}
