//! The settings of an instance of `kind = "broker"`.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use mq_core::units;
use serde::Deserialize;

use crate::options::{BrokerOptions, DestinationOptions, Durability, Full};

/// The settings of an instance of `kind = "broker"`.
///
/// ```toml
/// [binders.main]
/// kind = "broker"
/// path = "mq-data"
/// durability = "commit"
/// partitions = 4
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BrokerSettings {
    /// The folder; `mq-data` in the working directory by default.
    pub path: PathBuf,
    /// The partitions of a destination for which nobody asks for another number: 1 to 4,096, 1 by default.
    pub partitions: u32,
    /// When publications and settlements are confirmed: `"commit"` by default.
    pub durability: Durability,
    /// Messages that a destination holds at most; 100 million by default.
    pub max_messages: u64,
    /// Bytes that a destination holds at most; 64 GiB by default.
    #[serde(with = "units::bytes")]
    pub max_bytes: u64,
    /// What happens beyond that: `"block"` by default.
    pub full: Full,
    /// Messages that each partition keeps for replays; 10,000 by default.
    pub retain: u64,
    /// The largest message with key and headers; 16 MiB by default.
    #[serde(with = "units::bytes")]
    pub max_message: u64,
    /// Bytes of a segment, for a new folder; 64 MiB by default.
    #[serde(with = "units::bytes")]
    pub segment: u64,
    /// Bytes of the newest messages that are kept in memory; 16 MiB by default.
    #[serde(with = "units::bytes")]
    pub memory: u64,
    /// Publications are refused while the disk has less room than this; 64 MiB by default.
    #[serde(with = "units::bytes")]
    pub reserve: u64,
    /// Publications are slowed while the disk has less room than this; 256 MiB by default.
    #[serde(with = "units::bytes")]
    pub slow_below: u64,
    /// A snapshot is written at least so often; a minute by default.
    #[serde(with = "units::duration")]
    pub snapshot_interval: Duration,
    /// What destinations of these names are like when they are created; one that is not named is as the settings above say.
    pub destinations: BTreeMap<String, DestinationOptions>,
    /// Whether to go on without what cannot be read of a damaged journal; false by default.
    pub repair: bool,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        let own = BrokerOptions::default();
        Self {
            path: "mq-data".into(),
            partitions: own.destinations.partitions,
            durability: own.destinations.durability,
            max_messages: own.destinations.max_messages,
            max_bytes: own.destinations.max_bytes,
            full: own.destinations.full,
            retain: own.destinations.retain,
            max_message: own.max_message,
            segment: own.segment,
            memory: own.memory as u64,
            reserve: own.reserve,
            slow_below: own.slow_below,
            snapshot_interval: own.snapshot_interval,
            destinations: BTreeMap::new(),
            repair: own.repair,
        }
    }
}

impl BrokerSettings {
    /// The options that these settings say.
    #[must_use]
    pub fn options(&self) -> BrokerOptions {
        let mut options = BrokerOptions {
            max_message: self.max_message,
            segment: self.segment,
            memory: usize::try_from(self.memory).unwrap_or(usize::MAX),
            reserve: self.reserve,
            slow_below: self.slow_below,
            snapshot_interval: self.snapshot_interval,
            repair: self.repair,
            named: self.destinations.clone(),
            ..BrokerOptions::default()
        };
        let destinations = &mut options.destinations;
        destinations.partitions = self.partitions;
        destinations.durability = self.durability;
        destinations.max_messages = self.max_messages;
        destinations.max_bytes = self.max_bytes;
        destinations.full = self.full;
        destinations.retain = self.retain;
        options
    }
}
