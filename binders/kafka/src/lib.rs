//! The binder for Apache Kafka, and for everything that speaks its protocol, over librdkafka.
//!
//! A consumer has a thread of its own that polls the client: it keeps its membership however long a handler takes.
//! Positions are committed only up to the lowest message that is not settled; what is settled above it travels in the commit's
//! metadata.

mod admin;
mod binder;
mod client;
mod config;
mod consumer;
mod error;
mod headers;
mod producer;
mod transaction;

pub use binder::KafkaBinder;
pub use client::{BrokerStatistics, ClientStatistics, PartitionStatistics};
pub use config::{
    Compression, FACTORY, GroupProtocol, HeaderStyle, KafkaFactory, KafkaSettings, Mechanism,
    Scalar, SecuritySettings, Token, TokenSource,
};
