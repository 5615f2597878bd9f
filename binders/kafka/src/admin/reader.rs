//! Reading messages without consuming them: a client that is told where to read, and never commits.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::{Duration, Instant},
};

use mq_core::{error::Result, message::Message};
use rdkafka::{
    Message as _, Offset, TopicPartitionList, consumer::Consumer, error::KafkaError,
    types::RDKafkaErrorCode,
};

use super::{KafkaAdmin, handled::HANDLED};
use crate::{client::Plain, error, headers};

/// The state of the reader is looked at this often.
const TICK: Duration = Duration::from_millis(50);

/// What is to be read of a partition: from here on, up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) next: u64,
    pub(super) end: u64,
    /// At most so many messages.
    pub(super) most: usize,
}

/// A message that was read.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) partition: u32,
    pub(super) position: u64,
    pub(super) message: Message,
}

impl KafkaAdmin {
    /// Up to `max` messages of these partitions; moves the spans. A span whose partition has nothing more ends at its end.
    pub(super) fn read(
        &self,
        topic: &str,
        spans: &mut BTreeMap<i32, Span>,
        max: usize,
    ) -> Result<Vec<Found>> {
        spans.retain(|_, span| span.next < span.end && span.most > 0);
        if spans.is_empty() || max == 0 {
            return Ok(Vec::new());
        }
        let client = self.reading_client()?;
        let classify = |error| self.link.explain(error::classify("reading", &error));
        client
            .assign(&list(topic, spans).map_err(classify)?)
            .map_err(classify)?;
        let found = self.gather(&client, spans, max);
        client.unassign().map_err(classify)?;
        self.pool.put(READER, client);
        found
    }

    fn reading_client(&self) -> Result<Plain> {
        if let Some(client) = self.pool.take(READER) {
            return Ok(client);
        }
        let mut config = self.config.clone();
        config
            .set("group.id", HANDLED)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100")
            .set("queued.min.messages", "1000")
            .set("queued.max.messages.kbytes", "8192");
        self.connect(&config)
    }

    fn gather(
        &self,
        client: &Plain,
        spans: &mut BTreeMap<i32, Span>,
        max: usize,
    ) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        let mut open = spans.len();
        let mut deadline = Instant::now() + self.timeout();
        while found.len() < max && open > 0 {
            let ended = match client.poll(TICK) {
                Some(Ok(message)) => {
                    deadline = Instant::now() + self.timeout();
                    self.keep(&message, spans, &mut found)
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => ends(spans, partition),
                Some(Err(error)) => self.judge(&error).map(|()| false)?,
                None => false,
            };
            open -= usize::from(ended);
            if Instant::now() > deadline {
                return Err(self.link.explain(error::timed_out("reading")));
            }
        }
        Ok(found)
    }

    /// Keeps a message; whether that was the last one of its span.
    fn keep(
        &self,
        message: &rdkafka::message::BorrowedMessage<'_>,
        spans: &mut BTreeMap<i32, Span>,
        found: &mut Vec<Found>,
    ) -> bool {
        let (Some(span), Ok(position), Ok(partition)) = (
            spans.get_mut(&message.partition()),
            u64::try_from(message.offset()),
            u32::try_from(message.partition()),
        ) else {
            return false;
        };
        if span.next > position || span.next >= span.end || span.most == 0 {
            return false;
        }
        span.next = position + 1;
        span.most -= 1;
        found.push(Found {
            partition,
            position,
            message: headers::message(self.settings.headers, message),
        });
        span.next >= span.end || span.most == 0
    }

    /// Whether reading can go on after an error.
    fn judge(&self, error: &KafkaError) -> Result<()> {
        let found = error::classify("reading", error);
        // The reader is in no group; the right to one is not needed for what it does.
        let is_group =
            error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed);
        if found.is_temporary() || is_group {
            return Ok(());
        }
        Err(self.link.explain(found))
    }
}

/// The name of the client in the pool; no group is called so.
const READER: &str = "\u{0}reader";

/// The partition has nothing more; whether that is new.
fn ends(spans: &mut BTreeMap<i32, Span>, partition: i32) -> bool {
    let Entry::Occupied(mut span) = spans.entry(partition) else {
        return false;
    };
    let span = span.get_mut();
    let is_open = span.next < span.end && span.most > 0;
    span.next = span.next.max(span.end);
    is_open
}

fn list(
    topic: &str,
    spans: &BTreeMap<i32, Span>,
) -> rdkafka::error::KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (partition, span) in spans {
        let next = i64::try_from(span.next).unwrap_or(i64::MAX);
        list.add_partition_offset(topic, *partition, Offset::Offset(next))?;
    }
    Ok(list)
}
