//! From publishing to its confirmation, at 1,000 a second, and the sync that is part of it.

use std::time::{Duration, Instant};

use mq_core::message::Message;

use crate::{
    Measured, disk,
    folder::{Bench, runtime},
};

/// One message each millisecond.
pub(crate) fn run(messages: u64) -> Measured {
    let sync = disk::sync_times(messages.min(1_000))?;
    let times = runtime()?.block_on(times(messages))?;
    Ok(vec![
        ("ack_p50_us", quantile(&times, 50)),
        ("ack_p99_us", quantile(&times, 99)),
        ("sync_p50_us", quantile(&sync, 50)),
    ])
}

async fn times(messages: u64) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let bench = Bench::open().await?;
    let message = [Message::new(vec![7_u8; 256])];
    // The first megabytes make the journal ask for spare segments.
    crate::publish::publish(&bench.broker, &message[0], 300 * messages / 4).await?;
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let mut times = Vec::new();
    for _ in 0..messages {
        ticks.tick().await;
        let begin = Instant::now();
        for result in bench.broker.publish("bench", &message).await {
            result?;
        }
        times.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_unstable_by(f64::total_cmp);
    Ok(times)
}

/// The value below which so many of a hundred lie.
fn quantile(sorted: &[f64], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
