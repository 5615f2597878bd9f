//! Where the reading of a partition begins.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use mq_core::policy::Start;
use rdkafka::{
    Offset, TopicPartitionList,
    client::ClientContext,
    consumer::{BaseConsumer, ConsumerContext},
    error::KafkaResult,
};

use super::{
    positions::{Ends, Known, Place, committed, offsets, places, value},
    saved_of,
};
use crate::headers::millis;

/// What stands before the end of a partition in the metadata of a group that was made before anybody read as it.
pub(crate) const FOUNDED: &str = "mq-founded:";

/// The end that the partition had when the group was made.
pub(crate) fn founded_at(metadata: &str) -> Option<u64> {
    metadata.strip_prefix(FOUNDED)?.parse().ok()
}

/// Where a partition is read from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) position: u64,
    pub(crate) saved: Option<Bytes>,
    /// The group had no position there: this one has to be committed, or a crash would begin elsewhere.
    pub(crate) is_new: bool,
}

/// What a new group begins with.
#[derive(Clone, Debug)]
pub(crate) struct Beginning {
    pub(crate) start: Start,
    /// Where partitions ended when the consumer was opened, for those who begin there. A partition that is not among them has come
    /// since, and is read from its first message.
    pub(crate) ends: Ends,
}

/// Where each of these partitions begins for this group; blocks.
pub(crate) fn origins<C: ConsumerContext + ClientContext>(
    client: &BaseConsumer<C>,
    partitions: &TopicPartitionList,
    beginning: &Beginning,
    has_group: bool,
    patience: Duration,
) -> KafkaResult<Vec<Origin>> {
    let places = places(partitions);
    let committed = if has_group {
        committed(client, &places, patience)?
    } else {
        BTreeMap::new()
    };
    let find = |time| offsets(client, &places, time, patience);
    let bounds = Bounds {
        low: find(Offset::Beginning)?,
        high: find(Offset::End)?,
        timed: match beginning.start {
            Start::Time(time) => find(Offset::Offset(millis(time)))?,
            _ => BTreeMap::new(),
        },
    };
    let origin = |place: &Place| bounds.origin(place, committed.get(place), beginning);
    Ok(places.iter().map(origin).collect())
}

/// What is there of partitions.
struct Bounds {
    low: Ends,
    high: Ends,
    timed: Ends,
}

impl Bounds {
    fn origin(&self, place: &Place, known: Option<&Known>, beginning: &Beginning) -> Origin {
        let founded = known.and_then(|known| founded_at(&known.metadata));
        let own = known.filter(|_| founded.is_none());
        let found = own.and_then(|known| self.kept(place, known));
        Origin {
            topic: place.0.as_str().into(),
            partition: place.1,
            position: found.map_or_else(
                || self.choose(place, founded, beginning),
                |known| known.position,
            ),
            saved: found.and_then(|known| saved_of(&known.metadata)),
            is_new: found.is_none(),
        }
    }

    /// A committed position, if its message is still there or is still to come.
    fn kept<'a>(&self, place: &Place, known: &'a Known) -> Option<&'a Known> {
        let low = value(&self.low, place).unwrap_or_default();
        let high = value(&self.high, place).unwrap_or(u64::MAX);
        if (low..=high.max(low)).contains(&known.position) {
            return Some(known);
        }
        tracing::warn!(
            destination = place.0,
            partition = place.1,
            committed = known.position,
            low,
            high,
            "the committed position is no longer there: messages were removed before they were read, or the topic was made anew; reading begins again by `start`, at the earliest message if that lies behind"
        );
        None
    }

    fn choose(&self, place: &Place, founded: Option<u64>, beginning: &Beginning) -> u64 {
        let low = value(&self.low, place).unwrap_or_default();
        let high = value(&self.high, place).unwrap_or(low).max(low);
        let chosen = match beginning.start {
            Start::Latest => founded.or_else(|| value(&beginning.ends, place)),
            Start::Time(_) => value(&self.timed, place).or(Some(high)),
            Start::Position(position) => Some(position),
            _ => None,
        };
        chosen.unwrap_or(low).clamp(low, high)
    }
}

/// Where partitions end now that this group has never read and that have come with their topic; blocks.
///
/// A partition without a position beside others that have one was added later: its messages are all new.
pub(crate) fn ends<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &TopicPartitionList,
    has_group: bool,
    patience: Duration,
) -> KafkaResult<Ends> {
    let mut places = places(partitions);
    if has_group {
        let committed = committed(client, &places, patience)?;
        let read: BTreeSet<_> = committed.keys().map(|(topic, _)| topic).collect();
        places.retain(|(topic, _)| !read.contains(topic));
    }
    offsets(client, &places, Offset::End, patience)
}
