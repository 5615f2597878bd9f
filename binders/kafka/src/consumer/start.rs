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
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaResult,
};

use super::saved_of;
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

/// A topic and one of its partitions.
pub(crate) type Place = (String, i32);
/// Positions of partitions, where there are any.
pub(crate) type Ends = BTreeMap<Place, Option<u64>>;

/// What a new group begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning<'a> {
    pub(crate) start: Start,
    /// Where partitions ended when the consumer was opened.
    pub(crate) ends: &'a Ends,
}

/// Where each of these partitions begins for this group; blocks.
pub(crate) fn origins<C: ConsumerContext + ClientContext>(
    client: &BaseConsumer<C>,
    partitions: &TopicPartitionList,
    beginning: Beginning<'_>,
    has_group: bool,
    patience: Duration,
) -> KafkaResult<Vec<Origin>> {
    let committed = if has_group {
        committed(client, partitions, patience)?
    } else {
        BTreeMap::new()
    };
    let open = open(partitions, &committed);
    let starts = starts(client, &open, &committed, beginning, patience)?;
    let origin = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        let place = (element.topic().to_owned(), element.partition());
        let known = committed.get(&place).filter(|_| !open.contains(&place));
        Origin {
            topic: element.topic().into(),
            partition: element.partition(),
            position: known.map_or_else(
                || starts.get(&place).copied().unwrap_or_default(),
                |known| known.position,
            ),
            saved: known.and_then(|known| saved_of(&known.metadata)),
            is_new: known.is_none(),
        }
    };
    Ok(partitions.elements().into_iter().map(origin).collect())
}

#[derive(Debug)]
struct Known {
    position: u64,
    metadata: String,
}

fn committed<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &TopicPartitionList,
    patience: Duration,
) -> KafkaResult<BTreeMap<Place, Known>> {
    let mut asked = partitions.clone();
    asked.set_all_offsets(Offset::Invalid)?;
    let found = client.committed_offsets(asked, patience)?;
    let mut known = BTreeMap::new();
    for element in found.elements() {
        element.error()?;
        if let Offset::Offset(position) = element.offset() {
            let place = (element.topic().to_owned(), element.partition());
            let metadata = element.metadata().to_owned();
            let position = u64::try_from(position).unwrap_or_default();
            known.insert(place, Known { position, metadata });
        }
    }
    Ok(known)
}

/// Partitions whose beginning has to be found: nobody has committed there, or only whoever made the group.
fn open(partitions: &TopicPartitionList, committed: &BTreeMap<Place, Known>) -> BTreeSet<Place> {
    let places = places(partitions).into_iter();
    let is_open = |place: &Place| {
        let known = committed.get(place);
        known.is_none_or(|known| founded_at(&known.metadata).is_some())
    };
    places.filter(is_open).collect()
}

/// Partitions by name.
pub(crate) fn places(partitions: &TopicPartitionList) -> BTreeSet<Place> {
    let elements = partitions.elements().into_iter();
    elements
        .map(|element| (element.topic().to_owned(), element.partition()))
        .collect()
}

fn starts<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    open: &BTreeSet<Place>,
    committed: &BTreeMap<Place, Known>,
    beginning: Beginning<'_>,
    patience: Duration,
) -> KafkaResult<BTreeMap<Place, u64>> {
    if open.is_empty() {
        return Ok(BTreeMap::new());
    }
    let founded = |place: &Place| founded_at(&committed.get(place)?.metadata);
    let earliest = offsets(client, open, Offset::Beginning, patience)?;
    let latest = offsets(client, open, Offset::End, patience)?;
    let timed = match beginning.start {
        Start::Time(time) => offsets(client, open, Offset::Offset(millis(time)), patience)?,
        _ => BTreeMap::new(),
    };
    let choose = |place: &Place| {
        let (low, high) = (value(&earliest, place), value(&latest, place));
        let low = low.unwrap_or_default();
        match beginning.start {
            Start::Latest => founded(place)
                .or_else(|| value(beginning.ends, place))
                .or(high)
                .unwrap_or(low),
            Start::Time(_) => value(&timed, place).or(high).unwrap_or(low),
            Start::Position(position) => position.clamp(low, high.unwrap_or(position).max(low)),
            _ => low,
        }
    };
    Ok(open
        .iter()
        .map(|place| (place.clone(), choose(place)))
        .collect())
}

/// What was found for a partition.
pub(crate) fn value(found: &Ends, place: &Place) -> Option<u64> {
    found.get(place).copied().flatten()
}

/// The first positions at or after a time in milliseconds, or the ends, which ListOffsets takes in the place of a time (KIP-79);
/// `None` where there is no such message.
pub(crate) fn offsets<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    places: &BTreeSet<Place>,
    time: Offset,
    patience: Duration,
) -> KafkaResult<Ends> {
    let mut asked = TopicPartitionList::new();
    for (topic, partition) in places {
        asked.add_partition_offset(topic, *partition, time)?;
    }
    let found = client.offsets_for_times(asked, patience)?;
    let mut positions = BTreeMap::new();
    for element in found.elements() {
        element.error()?;
        let position = match element.offset() {
            Offset::Offset(position) => u64::try_from(position).ok(),
            _ => None,
        };
        positions.insert((element.topic().to_owned(), element.partition()), position);
    }
    Ok(positions)
}
