//! From settings to properties of librdkafka.

use std::time::Duration;

use mq_core::error::Result;
use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use super::{
    GroupProtocol, KafkaSettings,
    native::{Native, Side, apply},
};

/// What a message needs on the wire beyond key, payload and headers, at most.
const FRAME: u64 = 16 << 10;

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

impl KafkaSettings {
    /// The properties of a client; `native` is the binding's table, whose names were checked.
    pub(crate) fn client(
        &self,
        side: Side,
        application: &str,
        native: &Native,
    ) -> Result<ClientConfig> {
        let mut config = ClientConfig::new();
        self.common(&mut config, application);
        if side != Side::Admin && !self.statistics.is_zero() {
            config.set("statistics.interval.ms", millis(self.statistics));
        }
        match side {
            Side::Admin => {}
            Side::Consumer => self.reading(&mut config),
            Side::Producer => self.writing(&mut config),
        }
        apply(&mut config, side, &self.native)?;
        apply(&mut config, side, native)?;
        Ok(config)
    }

    fn common(&self, config: &mut ClientConfig, application: &str) {
        let client_id = self.client_id.as_deref().unwrap_or(application);
        // Whatever level the crate `log` has: lines go to `tracing`, which has its own.
        config.set_log_level(match self.native.contains_key("debug") {
            true => RDKafkaLogLevel::Debug,
            false => RDKafkaLogLevel::Info,
        });
        config
            .set("bootstrap.servers", &self.servers)
            .set("client.id", client_id)
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("socket.connection.setup.timeout.ms", millis(self.timeout))
            .set("socket.nagle.disable", "true")
            .set("socket.keepalive.enable", "true")
            .set("message.max.bytes", (self.max_message + FRAME).to_string());
        if let Some(security) = &self.security {
            security.apply(config);
        }
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
