//! Durable peers on the same disk, in the same run.

mod amqp;
mod rabbit;
mod redis;
mod window;

use std::error::Error;

use mq_core::error::ErrorKind;
use mq_testkit::harness::{Kind, Server};

use crate::{Measured, figures::note, publish::IN_FLIGHT};

/// Bytes of a message.
const BODY: usize = 256;

/// Redis streams with `appendfsync always`: XADD, 1,000 in flight.
pub(crate) fn redis(messages: u64) -> Measured {
    with(Kind::Redis, "redis_publish_256", |address| {
        redis::publish(address, messages)
    })
}

/// A quorum queue of RabbitMQ: publisher confirms, 1,000 in flight.
pub(crate) fn rabbit(messages: u64) -> Measured {
    with(Kind::RabbitMq, "rabbit_publish_256", |address| {
        rabbit::publish(address, messages)
    })
}

/// Starts a server and runs `rate` on it; measures nothing, and says why, where there is none.
fn with(
    kind: Kind,
    name: &'static str,
    rate: impl FnOnce(&str) -> Result<f64, Box<dyn Error>>,
) -> Measured {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let server = match runtime.block_on(mq_testkit::harness::ServerOptions::new(kind).start()) {
        Ok(server) => server,
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            note(&format!("{name} is null: {error}"));
            return Ok(Vec::new());
        }
        Err(error) => return Err(error.into()),
    };
    let measured = rate(&server.addr());
    runtime.block_on(async move { drop::<Server>(server) });
    Ok(vec![(name, measured?)])
}
