//! From publishing to its confirmation, at 1,000 a second, and what the disk takes at the same pace.

use std::time::{Duration, Instant};

use mq_core::message::Message;

use crate::{
    Measured,
    disk::Recycled,
    folder::{Bench, runtime},
};

/// So many ticks belong to the broker, and as many to the disk, in turn.
const TURN: usize = 50;
/// Published before time is taken: the journal's first megabytes.
const WARM: u64 = 300_000;

/// One message each millisecond; the disk has as many frames of one message to write and sync, on a file of its own, in turn.
pub(crate) fn run(messages: u64) -> Measured {
    let (broker, disk) = runtime()?.block_on(times(messages))?;
    Ok(vec![
        ("ack_p50_us", quantile(&broker, 50)),
        ("ack_p99_us", quantile(&broker, 99)),
        ("disk_p50_us", quantile(&disk, 50)),
        ("disk_p99_us", quantile(&disk, 99)),
    ])
}

/// Microseconds of each, in order of size.
async fn times(messages: u64) -> Result<(Vec<f64>, Vec<f64>), Box<dyn std::error::Error>> {
    let bench = Bench::open().await?;
    let mut disk = Recycled::new()?;
    let message = [Message::new(vec![7_u8; 256])];
    crate::publish::publish(&bench.broker, &message[0], WARM.min(75 * messages)).await?;
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let (mut broker, mut raw) = (Vec::new(), Vec::new());
    while (broker.len() as u64) < messages {
        for _ in 0..TURN {
            ticks.tick().await;
            let begin = Instant::now();
            for result in bench.broker.publish("bench", &message).await {
                result?;
            }
            broker.push(begin.elapsed().as_secs_f64() * 1e6);
        }
        for _ in 0..TURN {
            ticks.tick().await;
            let begin = Instant::now();
            disk.write()?;
            raw.push(begin.elapsed().as_secs_f64() * 1e6);
        }
    }
    broker.sort_unstable_by(f64::total_cmp);
    raw.sort_unstable_by(f64::total_cmp);
    Ok((broker, raw))
}

/// The value below which so many of a hundred lie.
fn quantile(sorted: &[f64], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
