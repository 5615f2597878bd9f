//! What a message costs while others wait.

use std::time::Instant;

use mq_broker::Subscribe;
use mq_core::message::Message;

use crate::{
    Measured,
    folder::{Bench, runtime},
    publish::publish_batches,
};

/// Messages in one step.
const BATCH: u64 = 500;
/// Messages that are measured.
const MEASURED: u64 = 1_000_000;

/// Publishing, delivery and acknowledgement of a message while a backlog of constant length waits, in nanoseconds.
pub(crate) fn run(backlog: u64) -> Measured {
    runtime()?.block_on(async {
        let bench = Bench::open().await?;
        let broker = &bench.broker;
        broker.create_group("bench", "billing").await?;
        let batch = vec![Message::new(vec![7_u8; 64]); usize::try_from(BATCH)?];
        publish_batches(broker, &batch, backlog).await?;
        let mut member = broker
            .subscribe(&Subscribe::to("bench").group("billing"))
            .await?;
        let begin = Instant::now();
        let mut handled = 0;
        while handled < MEASURED {
            let mut received = 0;
            while received < BATCH {
                let delivered = member.receive(usize::try_from(BATCH - received)?).await?;
                received += delivered.len() as u64;
                member.ack(&delivered).await?;
            }
            for result in broker.publish("bench", &batch).await {
                result?;
            }
            handled += received;
        }
        let each = begin.elapsed().as_secs_f64() * 1e9 / handled as f64;
        let name = if backlog > 1_000 {
            "backlog_10000000_ns"
        } else {
            "backlog_1000_ns"
        };
        Ok(vec![(name, each)])
    })
}
