//! One thread that polls, counts, and commits every 200 ms, as the framework does.

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    config::FromClientConfig,
    consumer::{BaseConsumer, CommitMode, Consumer},
    message::BorrowedMessage,
};

use super::{PATIENCE, plain, reading};
use crate::{
    Outcome, Work,
    cost::{processor, since},
    job::{Job, Used},
    payload::handle,
    topics::PARTITIONS,
};

/// Positions are committed this often.
const INTERVAL: Duration = Duration::from_millis(200);
/// The clock is read once for so many messages.
const LOOK: u64 = 1_024;

/// Reads a topic to its end.
pub(crate) fn consume(job: &Job) -> Outcome<Used> {
    if job.work == Work::Defaults {
        return with_defaults(job);
    }
    let before = processor();
    let wants_headers = job.work == Work::Headers;
    let consumer: BaseConsumer = reading(&job.servers, &job.group).create()?;
    consumer.subscribe(&[&job.input])?;
    let mut positions = BTreeMap::new();
    let mut begin = None;
    let (mut count, mut committed) = (0, Instant::now());
    while count < job.messages {
        let message = next(&consumer)?;
        begin.get_or_insert_with(Instant::now);
        handle(job.work, message.payload().unwrap_or_default());
        if wants_headers {
            black_box(message.headers().is_some());
        }
        positions.insert(message.partition(), message.offset() + 1);
        count += 1;
        if u64::is_multiple_of(count, LOOK) && committed.elapsed() >= INTERVAL {
            consumer.commit(&list(job, &positions)?, CommitMode::Async)?;
            committed = Instant::now();
        }
    }
    consumer.commit(&list(job, &positions)?, CommitMode::Sync)?;
    Ok(since(begin.unwrap_or(committed), before))
}

/// With librdkafka's defaults positions are stored and committed by the client itself; the last ones are committed here.
fn with_defaults(job: &Job) -> Outcome<Used> {
    let before = processor();
    let mut config = plain(&job.servers);
    config
        .set("group.id", &job.group)
        .set("auto.offset.reset", "earliest");
    let consumer = BaseConsumer::from_config(&config)?;
    consumer.subscribe(&[&job.input])?;
    let mut begin = None;
    for _ in 0..job.messages {
        let message = next(&consumer)?;
        begin.get_or_insert_with(Instant::now);
        handle(job.work, message.payload().unwrap_or_default());
    }
    consumer.commit_consumer_state(CommitMode::Sync)?;
    Ok(since(begin.unwrap_or_else(Instant::now), before))
}

/// The next message. What is no message ends a call without one.
#[inline]
pub(super) fn next(consumer: &BaseConsumer) -> Outcome<BorrowedMessage<'_>> {
    match consumer.poll(PATIENCE) {
        Some(message) => Ok(message?),
        None => next_after_others(consumer),
    }
}

#[cold]
fn next_after_others(consumer: &BaseConsumer) -> Outcome<BorrowedMessage<'_>> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if let Some(message) = consumer.poll(PATIENCE) {
            return Ok(message?);
        }
    }
    Err("no message has come".into())
}

pub(super) fn list(job: &Job, positions: &BTreeMap<i32, i64>) -> Outcome<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for (partition, position) in positions {
        list.add_partition_offset(&job.input, *partition, Offset::Offset(*position))?;
    }
    Ok(list)
}

/// How many messages of the input the group has committed.
pub(crate) fn committed(consumer: &BaseConsumer, topic: &str) -> Outcome<u64> {
    let mut asked = TopicPartitionList::new();
    asked.add_partition_range(topic, 0, PARTITIONS - 1);
    let found = consumer.committed_offsets(asked, PATIENCE)?;
    let positions = found.elements().into_iter().map(|element| element.offset());
    let positions = positions.filter_map(|offset| match offset {
        Offset::Offset(position) => u64::try_from(position).ok(),
        _ => None,
    });
    Ok(positions.sum())
}
