//! What a message costs while others wait.

use std::{fs, io, time::Duration};

use mq_broker::Subscribe;
use mq_core::message::Message;

use crate::{
    Measured,
    folder::{Bench, runtime},
    publish::publish_batches,
};

/// Linux counts processor time in hundredths of a second (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Messages in one step.
const BATCH: u64 = 500;
/// Messages that are measured.
const MEASURED: u64 = 1_000_000;

/// Publishing, delivery and acknowledgement of a message while a backlog of constant length waits, in nanoseconds of the processor, which others
/// on the machine do not change much.
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
        let begin = processor()?;
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
        let each = (processor()? - begin).as_secs_f64() * 1e9 / handled as f64;
        let name = if backlog > 1_000 {
            "backlog_10000000_ns"
        } else {
            "backlog_1000_ns"
        };
        Ok(vec![(name, each)])
    })
}

/// Processor time of this process, of user and system.
fn processor() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field may hold anything; the twelfth and thirteenth behind it are the times.
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let fields = behind.split_whitespace().skip(11).take(2);
    let ticks: Result<Vec<u32>, _> = fields.map(str::parse).collect();
    let ticks = ticks.map_err(io::Error::other)?;
    Ok(TICK * ticks.into_iter().sum())
}
