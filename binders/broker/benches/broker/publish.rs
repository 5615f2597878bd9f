//! Durable publishing.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use mq_broker::Broker;
use mq_core::message::Message;

use crate::{
    Measured,
    folder::{Bench, runtime},
};

/// Publications that are on their way at any time.
pub(crate) const IN_FLIGHT: u64 = 1_000;
/// Of so many messages one more is published before time is taken.
const WARM: u64 = 3;

type Task = tokio::task::JoinHandle<mq_core::error::Result<()>>;

/// 256 bytes, one message a call.
pub(crate) fn small(messages: u64) -> Measured {
    singles("publish_256", 256, messages)
}

/// 1 KiB, one message a call.
pub(crate) fn large(messages: u64) -> Measured {
    singles("publish_1k", 1_024, messages)
}

fn singles(name: &'static str, bytes: usize, messages: u64) -> Measured {
    runtime()?.block_on(async {
        let bench = Bench::open().await?;
        let message = Message::new(vec![7_u8; bytes]);
        publish(&bench.broker, &message, messages / WARM).await?;
        let begin = Instant::now();
        publish(&bench.broker, &message, messages).await?;
        Ok(vec![(
            name,
            messages as f64 / begin.elapsed().as_secs_f64(),
        )])
    })
}

/// Publishes so many copies of a message, one a call, by 1,000 tasks.
pub(crate) async fn publish(
    broker: &Broker,
    message: &Message,
    messages: u64,
) -> Result<(), Box<dyn Error>> {
    let next = Arc::new(AtomicU64::new(0));
    let tasks: Vec<Task> = (0..IN_FLIGHT)
        .map(|_| {
            let (broker, next, message) = (broker.clone(), next.clone(), message.clone());
            tokio::spawn(async move {
                while next.fetch_add(1, Ordering::Relaxed) < messages {
                    let results = broker
                        .publish("bench", std::slice::from_ref(&message))
                        .await;
                    results.into_iter().try_for_each(|one| one.map(drop))?;
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

/// 256 bytes, 1,000 messages a call, four calls at a time.
pub(crate) fn batches(messages: u64) -> Measured {
    runtime()?.block_on(async {
        let bench = Bench::open().await?;
        let batch = vec![Message::new(vec![7_u8; 256]); 1_000];
        publish_batches(&bench.broker, &batch, messages / WARM).await?;
        let begin = Instant::now();
        publish_batches(&bench.broker, &batch, messages).await?;
        let rate = messages as f64 / begin.elapsed().as_secs_f64();
        Ok(vec![("publish_256_batch", rate)])
    })
}

/// Publishes a batch until so many messages are stored, by four tasks.
pub(crate) async fn publish_batches(
    broker: &Broker,
    batch: &[Message],
    messages: u64,
) -> Result<(), Box<dyn Error>> {
    let next = Arc::new(AtomicU64::new(0));
    let tasks: Vec<Task> = (0..4)
        .map(|_| {
            let (broker, next, batch) = (broker.clone(), next.clone(), batch.to_vec());
            tokio::spawn(async move {
                while next.fetch_add(batch.len() as u64, Ordering::Relaxed) < messages {
                    let results = broker.publish("bench", &batch).await;
                    results.into_iter().try_for_each(|one| one.map(drop))?;
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}
