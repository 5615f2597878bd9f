//! What a message costs while others wait.

use std::error::Error;

use mq_broker::Subscribe;
use mq_core::message::Message;

use crate::{
    Measured, callgrind,
    clock::processor,
    folder::{Bench, runtime},
    publish::publish_batches,
};

/// Messages in one step.
const BATCH: u64 = 500;
/// Messages that are measured.
const MEASURED: u64 = 1_000_000;
/// Messages of the shorter of two runs under callgrind; the longer one has three times as many.
const COUNTED: u64 = 50_000;

/// Publishing, delivery and acknowledgement of a message while a backlog of constant length waits, in nanoseconds of the processor, which others
/// on the machine do not change much.
pub(crate) fn run(backlog: u64) -> Measured {
    let name = match backlog {
        ..=1_000 => "backlog_1000_ns",
        1_001..=1_000_000 => "backlog_1000000_ns",
        _ => "backlog_10000000_ns",
    };
    let each = handle(backlog, MEASURED)? / MEASURED as f64;
    Ok(vec![(name, each)])
}

/// Instructions of such a message, by valgrind's callgrind: with a short backlog, with a long one, and the ratio of the two.
///
/// The threads of a broker wait for each other in another way each time, so these are not the same to the last digit.
pub(crate) fn instructions(backlog: u64) -> Measured {
    let mut figures = Vec::new();
    let counted = |backlog| {
        let counts = (COUNTED, 3 * COUNTED);
        callgrind::cost(backlog, counts)
    };
    if let (Some(short), Some(long)) = (counted(1_000), counted(backlog)) {
        figures.push(("backlog_1000_instructions", short));
        figures.push(("backlog_1000000_instructions", long));
        figures.push(("backlog_flatness", long / short));
    }
    Ok(figures)
}

/// Handles so many messages while others wait; returns the nanoseconds of processor time.
pub(crate) fn handle(backlog: u64, messages: u64) -> Result<f64, Box<dyn Error>> {
    runtime()?.block_on(async {
        let bench = Bench::open().await?;
        let broker = &bench.broker;
        broker.create_group("bench", "billing").await?;
        let batch = vec![Message::new(vec![7_u8; 64]); usize::try_from(BATCH)?];
        publish_batches(broker, &batch, backlog).await?;
        let mut member = broker
            .subscribe(&Subscribe::to("bench").group("billing"))
            .await?;
        let begin = processor();
        let mut handled = 0;
        while handled < messages {
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
        Ok((processor() - begin).as_secs_f64() * 1e9)
    })
}
