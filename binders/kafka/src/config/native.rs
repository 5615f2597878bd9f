//! From settings to properties of librdkafka.

use std::{collections::BTreeMap, time::Duration};

use mq_core::{config::Node, error::Result};
use rdkafka::ClientConfig;

use super::{GroupProtocol, KafkaSettings, Scalar};
use crate::error;

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Metadata and administration.
    Admin,
    /// Reading.
    Consumer,
    /// Writing.
    Producer,
}

/// The properties of a binding's `native` table.
pub(crate) type Native = BTreeMap<String, Scalar>;

/// Properties that the binder's guarantees rest on; a `native` table cannot change them.
const OWN: [&str; 11] = [
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.gapless.guarantee",
    "enable.partition.eof",
    "group.id",
    "bootstrap.servers",
    "acks",
    "request.required.acks",
    "transactional.id",
    "isolation.level",
];

/// What a message needs on the wire beyond key, payload and headers, at most.
const FRAME: u64 = 16 << 10;

/// Reads a binding's `native` table.
pub(crate) fn table(node: &Node) -> Result<Native> {
    if node.is_empty() {
        return Ok(Native::new());
    }
    node.decode()
        .map_err(|problems| error::config(problems.to_string()))
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

impl KafkaSettings {
    /// The properties of a client; `native` is the binding's table.
    pub(crate) fn client(
        &self,
        side: Side,
        application: &str,
        native: &Native,
    ) -> Result<ClientConfig> {
        let mut config = ClientConfig::new();
        self.common(&mut config, application);
        match side {
            Side::Admin => {}
            Side::Consumer => self.reading(&mut config),
            Side::Producer => self.writing(&mut config),
        }
        for (name, value) in self.native.iter().chain(native) {
            if OWN.contains(&name.as_str()) {
                let text = format!(
                    "`native` cannot set `{name}`: the binder's guarantees rest on it; remove it"
                );
                return Err(error::config(text));
            }
            config.set(name, value.to_string());
        }
        Ok(config)
    }

    fn common(&self, config: &mut ClientConfig, application: &str) {
        let client_id = self.client_id.as_deref().unwrap_or(application);
        config
            .set("bootstrap.servers", &self.servers)
            .set("client.id", client_id)
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("socket.connection.setup.timeout.ms", millis(self.timeout))
            .set("socket.nagle.disable", "true")
            .set("socket.keepalive.enable", "true")
            .set("message.max.bytes", (self.max_message + FRAME).to_string());
    }

    fn reading(&self, config: &mut ClientConfig) {
        config
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            // What `fetch.queue.backoff.ms` leaves at a second is where librdkafka's defaults spend their time.
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.wait.max.ms", "100")
            .set("queued.min.messages", "1000000")
            .set(
                "queued.max.messages.kbytes",
                (self.fetch_ahead >> 10).max(1).to_string(),
            )
            .set("topic.metadata.refresh.interval.ms", "30000");
        match self.group_protocol {
            GroupProtocol::Classic => {
                config
                    .set("partition.assignment.strategy", "cooperative-sticky")
                    .set("session.timeout.ms", millis(self.session_timeout))
                    .set("heartbeat.interval.ms", millis(self.session_timeout / 5));
            }
            GroupProtocol::Consumer => {
                config.set("group.protocol", "consumer");
            }
        }
    }

    fn writing(&self, config: &mut ClientConfig) {
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .set("compression.type", self.compression.name())
            .set("linger.ms", millis(self.linger))
            .set("delivery.timeout.ms", millis(self.delivery_timeout))
            .set("topic.metadata.propagation.max.ms", millis(self.timeout))
            .set("queue.buffering.max.messages", "100000")
            .set("batch.num.messages", "10000");
    }
}
