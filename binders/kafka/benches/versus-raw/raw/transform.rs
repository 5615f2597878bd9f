//! Consume, produce, and commit both in transactions of a fixed size (KIP-447).

use std::{
    collections::BTreeMap,
    thread::park_timeout,
    time::{Duration, Instant},
};

use rdkafka::{
    Message,
    consumer::{BaseConsumer, Consumer},
    producer::{BaseRecord, Producer},
};

use super::{
    PATIENCE,
    consume::{list, next},
    publish::{check, client},
    reading, writing,
};
use crate::{
    Outcome,
    cost::{processor, since},
    job::{Job, Used},
};

/// How long a message is waited for that is still in the client.
const MOMENT: Duration = Duration::from_micros(50);

/// Reads the input to its end; every message leaves as it came.
pub(crate) fn transform(job: &Job) -> Outcome<Used> {
    let before = processor();
    let consumer: BaseConsumer = reading(&job.servers, &job.group).create()?;
    consumer.subscribe(&[&job.input])?;
    let mut config = writing(&job.servers);
    config
        .set("transactional.id", &job.group)
        .set("retry.backoff.ms", "10");
    let producer = client(&config)?;
    producer.init_transactions(PATIENCE)?;
    let (mut begin, mut count) = (None, 0);
    let mut positions = BTreeMap::new();
    while count < job.messages {
        let end = job.messages.min(count + job.transaction);
        let mut is_open = false;
        while count < end {
            let message = next(&consumer)?;
            begin.get_or_insert_with(Instant::now);
            if !is_open {
                producer.begin_transaction()?;
                is_open = true;
            }
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&job.output);
            record.payload = message.payload();
            record.key = message.key();
            producer.send(record).map_err(|(error, _)| error)?;
            positions.insert(message.partition(), message.offset() + 1);
            count += 1;
        }
        let group = consumer.group_metadata().ok_or("there is no group")?;
        producer.send_offsets_to_transaction(&list(job, &positions)?, &group, PATIENCE)?;
        // A commit that finds a message in the client polls for 100 ms for an event that the other thread has taken.
        while producer.in_flight_count() > 0 {
            park_timeout(MOMENT);
        }
        producer.commit_transaction(PATIENCE)?;
    }
    check(&producer)?;
    Ok(since(begin.unwrap_or_else(Instant::now), before))
}
