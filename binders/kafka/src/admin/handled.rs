//! Messages that were dealt with: marked in the commits of a group that the framework owns and nobody joins.

use std::collections::BTreeMap;

use mq_core::error::{Error, ErrorKind, Result};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer},
    error::KafkaResult,
};

use super::{
    KafkaAdmin,
    marks::{Marks, today},
};
use crate::{client::patiently, error};

/// The group whose commits hold the marks; it has never members.
pub(super) const HANDLED: &str = "mq-handled";
/// Another process may mark at the same moment; then it is tried again, so often.
const TRIES: usize = 8;

impl KafkaAdmin {
    /// The marks of a topic's partitions. Where they are looked at anew, old ones are written again:
    /// brokers forget positions of a group without members after `offsets.retention.minutes`.
    pub(super) fn handled(&self, topic: &str, renew: bool) -> Result<BTreeMap<u32, Marks>> {
        let mut found = BTreeMap::new();
        for ((_, partition), known) in self.committed(topic, HANDLED)? {
            let marks = read(known.position, &known.metadata)?;
            found.insert(u32::try_from(partition).unwrap_or_default(), marks);
        }
        if renew {
            for (partition, marks) in found.iter().filter(|(_, marks)| marks.day != today()) {
                if let Err(error) = self.write_marks(topic, *partition, marks) {
                    tracing::debug!(binder = self.link.name(), topic, partition, error = %error.chain(), "marks are not renewed");
                }
            }
        }
        Ok(found)
    }

    /// Marks a message as dealt with.
    pub(super) fn mark(&self, topic: &str, partition: u32, position: u64) -> Result<()> {
        let ends = self.ends("marking a message", topic)?;
        let ends = usize::try_from(partition)
            .ok()
            .and_then(|index| ends.get(index).copied());
        let Some(ends) = ends.filter(|ends| position < ends.high) else {
            let text = "there is no such message; take partition and position from browsing";
            return Err(Error::new(ErrorKind::NotFound, text)
                .context("destination", topic)
                .context("partition", partition)
                .context("position", position));
        };
        let _alone = self
            .marking
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for _ in 0..TRIES {
            let mut known = self.handled(topic, false)?;
            let mut marks = known
                .remove(&partition)
                .unwrap_or_else(|| Marks::new(ends.low));
            if marks.has(position) {
                return Ok(());
            }
            marks.begin(ends.low);
            marks.add(position);
            self.write_marks(topic, partition, &marks)?;
        }
        let text = "other processes mark messages of this partition at the same time; try again";
        Err(Error::new(ErrorKind::Unavailable, text)
            .temporary()
            .context("destination", topic))
    }

    fn write_marks(&self, topic: &str, partition: u32, marks: &Marks) -> Result<()> {
        let Some(text) = marks.encode(today()) else {
            let text = "more single messages are marked than fit beside a position; deal with the older ones first, or purge the destination";
            return Err(Error::new(ErrorKind::Full, text).context("destination", topic));
        };
        let classify = |error| {
            self.link
                .explain(error::classify("marking a message", &error))
        };
        let list = commit(topic, partition, marks.base, text).map_err(classify)?;
        self.with_group(HANDLED, |client| {
            patiently(self.timeout(), || client.commit(&list, CommitMode::Sync)).map_err(classify)
        })
    }
}

fn commit(
    topic: &str,
    partition: u32,
    position: u64,
    text: String,
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition(topic, i32::try_from(partition).unwrap_or(i32::MAX));
    element.set_offset(Offset::Offset(i64::try_from(position).unwrap_or(i64::MAX)))?;
    element.set_metadata(text);
    Ok(list)
}

fn read(position: u64, metadata: &str) -> Result<Marks> {
    Marks::decode(position, metadata).map_err(|version| {
        let text = format!(
            "the marks of handled messages have version {version}, and this program knows 1; use a newer program"
        );
        Error::new(ErrorKind::Unsupported, text)
    })
}
