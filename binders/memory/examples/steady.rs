//! The steady path, to be run under an instruction counter: `steady <messages> <keys> <backlog>`.
//!
//! Publishes in calls of 256, receives up to 256 at a time, and acknowledges them in one call.

use std::time::Instant;

use mq_core::{
    binder::{Action, Binder, ConsumerSpec, ProducerSpec, Record, Settlement},
    message::Message,
};
use mq_memory::MemoryBinder;

const BATCH: usize = 256;

fn argument(index: usize, default: usize) -> usize {
    let text = std::env::args().nth(index);
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn messages(keys: usize) -> Vec<Message> {
    let of = |index: usize| match keys {
        0 => Message::new(vec![b'x'; 256]),
        _ => Message::new(vec![b'x'; 256]).key(format!("key-{}", index % keys)),
    };
    let messages: Vec<_> = (0..BATCH).map(of).collect();
    // A payload's first clone is dearer than the others.
    drop(messages.clone());
    messages
}

#[inline(never)]
async fn publish(producer: &dyn mq_core::binder::Producer, messages: &[Message]) {
    let results = producer.publish(messages).await;
    assert!(results.iter().all(Result::is_ok));
}

#[inline(never)]
async fn receive(
    consumer: &mut dyn mq_core::binder::Consumer,
    records: &mut Vec<Record>,
) -> mq_core::error::Result<()> {
    consumer.receive(records, BATCH).await?;
    Ok(())
}

#[inline(never)]
async fn settle(
    settler: &dyn mq_core::binder::Settler,
    settlements: &[Settlement],
) -> mq_core::error::Result<()> {
    let unsettled = settler.settle(settlements).await?;
    assert!(unsettled.is_empty());
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> mq_core::error::Result<()> {
    let (count, keys, backlog) = (argument(1, 1_000_000), argument(2, 0), argument(3, BATCH));
    let binder = MemoryBinder::builder()
        .limit(mq_memory::Limit::new(u64::MAX, u64::MAX))
        .build()?;
    let producer = binder.producer(&ProducerSpec::new("bench")).await?;
    let mut consumer = binder
        .consumer(&ConsumerSpec::new("bench", Some("bench")))
        .await?;
    let settler = consumer.settler();
    let batch = messages(keys);
    for _ in 0..backlog.div_ceil(BATCH) {
        publish(&*producer, &batch).await;
    }
    let (mut records, mut settlements) = (Vec::new(), Vec::new());
    consumer.receive(&mut records, BATCH).await?;
    let (mut done, started) = (0, Instant::now());
    while done < count {
        receive(&mut *consumer, &mut records).await?;
        settlements.extend(records.iter().map(|record| Settlement {
            lane: record.lane,
            position: record.position,
            epoch: record.epoch,
            action: Action::Ack,
        }));
        settle(&*settler, &settlements).await?;
        done += records.len();
        if records.len() == BATCH {
            publish(&*producer, &batch).await;
        } else {
            publish(&*producer, &batch[..records.len()]).await;
        }
        settlements.clear();
        records.clear();
    }
    let nanos = started.elapsed().as_nanos() / done as u128;
    #[expect(clippy::print_stdout, reason = "this is what the program is for")]
    {
        println!("{done} messages, {nanos} ns each (published, received, acknowledged)");
    }
    Ok(())
}
