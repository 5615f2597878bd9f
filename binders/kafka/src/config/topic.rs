//! Settings of topics, by Kafka's names.

use mq_core::config::nearest;

use super::KafkaSettings;

/// The settings of topics that Kafka 4.1 has.
const NAMES: &[&str] = &[
    "cleanup.policy",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "remote.log.copy.disable",
    "remote.log.delete.on.disable",
    "remote.storage.enable",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
];

/// The name of a setting for a report; those of other brokers (`redpanda.…`, `confluent.…`) go by one name.
pub(crate) fn setting_name(name: &str) -> &'static str {
    let known = NAMES.iter().find(|known| **known == name);
    known.copied().unwrap_or("a topic setting")
}

/// Settings that are probably misspelt, each with what was meant.
pub(super) fn misspelt(settings: &KafkaSettings) -> Vec<(&str, &'static str)> {
    let unknown = settings
        .topic
        .keys()
        .map(String::as_str)
        .filter(|name| !NAMES.contains(name));
    let near = |name| nearest(name, NAMES.iter().copied()).map(|near| (name, near));
    unknown.filter_map(near).collect()
}
