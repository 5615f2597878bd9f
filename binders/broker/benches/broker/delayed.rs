//! Messages for later.

use std::time::{Duration, Instant, SystemTime};

use mq_broker::Broker;
use mq_core::message::Message;

use crate::{
    Measured,
    folder::{Bench, runtime},
    memory::resident,
};

/// Messages in one call.
const BATCH: u64 = 1_000;

/// Inserts messages that become due in the course of an hour, in any order, 1,000 a call, four calls at a time.
pub(crate) fn run(messages: u64) -> Measured {
    runtime()?.block_on(async {
        let bench = Bench::open().await?;
        bench.broker.create_group("bench", "billing").await?;
        let before = resident()?;
        let begin = Instant::now();
        let mut tasks = Vec::new();
        for number in 1..=4 {
            tasks.push(tokio::spawn(insert(
                bench.broker.clone(),
                messages / 4,
                number,
            )));
        }
        for task in tasks {
            task.await??;
        }
        let rate = messages as f64 / begin.elapsed().as_secs_f64();
        let growth = (resident()? - before).max(0.0);
        Ok(vec![("delayed_insert", rate), ("delayed_mb", growth)])
    })
}

async fn insert(broker: Broker, messages: u64, mut seed: u64) -> mq_core::error::Result<()> {
    let hour = SystemTime::now() + Duration::from_secs(3_600);
    let body = Message::new(vec![7_u8; 64]);
    for _ in 0..messages.div_ceil(BATCH) {
        let batch: Vec<_> = (0..BATCH)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // 22 bits of milliseconds are 70 minutes.
                body.clone()
                    .deliver_at(hour + Duration::from_millis(seed >> 42))
            })
            .collect();
        let results = broker.publish("bench", &batch).await;
        results.into_iter().try_for_each(|one| one.map(drop))?;
    }
    Ok(())
}
