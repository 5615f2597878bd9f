//! The fastest bare loops over `rdkafka` that we know.

mod consume;
mod publish;
mod transform;

pub(crate) use consume::{committed, consume};
pub(crate) use publish::{fill, publish};
pub(crate) use transform::transform;

use rdkafka::ClientConfig;

/// How long a request may take.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Nothing but the address: librdkafka's own defaults.
pub(crate) fn plain(servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    config
}

/// The properties that the binder sets for consumers by its defaults, as far as speed may depend on them.
pub(crate) fn reading(servers: &str, group: &str) -> ClientConfig {
    let mut config = plain(servers);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.wait.max.ms", "100")
        .set("queued.min.messages", "1000000")
        .set("queued.max.messages.kbytes", "16384")
        .set("partition.assignment.strategy", "cooperative-sticky");
    config
}

/// The properties that the binder sets for producers by its defaults, as far as speed may depend on them.
pub(crate) fn writing(servers: &str) -> ClientConfig {
    let mut config = plain(servers);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("compression.type", "lz4")
        .set("linger.ms", "1")
        .set("queue.buffering.max.messages", "100000")
        .set("batch.num.messages", "10000")
        .set("socket.nagle.disable", "true");
    config
}
