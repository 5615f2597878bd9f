//! Messages for later.

use std::time::{Duration, Instant, SystemTime};

use mq_core::message::Message;

use crate::{
    Measured,
    folder::{Bench, runtime},
    memory::resident,
};

/// Inserts messages that become due in the course of an hour, in any order.
pub(crate) fn run(messages: u64) -> Measured {
    runtime()?.block_on(async {
        let bench = Bench::open().await?;
        bench.broker.create_group("bench", "billing").await?;
        let hour = SystemTime::now() + Duration::from_secs(3_600);
        let body = Message::new(vec![7_u8; 64]);
        let before = resident()?;
        let begin = Instant::now();
        let mut seed = 1_u64;
        for _ in 0..messages / 1_000 {
            let batch: Vec<_> = (0..1_000)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    body.clone().deliver_at(hour + Duration::from_millis(seed >> 42))
                })
                .collect();
            for result in bench.broker.publish("bench", &batch).await {
                result?;
            }
        }
        let rate = messages as f64 / begin.elapsed().as_secs_f64();
        let growth = (resident()? - before).max(0.0);
        Ok(vec![("delayed_insert", rate), ("delayed_mb", growth)])
    })
}
