//! Questions for positions: what groups have committed, where partitions begin and end.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaResult,
};

use crate::client::patiently;

/// A topic and one of its partitions.
pub(crate) type Place = (String, i32);
/// Positions of partitions, where there are any.
pub(crate) type Ends = BTreeMap<Place, Option<u64>>;

/// A committed position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) position: u64,
    pub(crate) metadata: String,
}

/// The committed positions of a group, where it has any.
pub(crate) type Committed = BTreeMap<Place, Known>;

/// What the client's group has committed in these partitions; blocks.
pub(crate) fn committed<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    places: &BTreeSet<Place>,
    patience: Duration,
) -> KafkaResult<Committed> {
    let mut asked = TopicPartitionList::new();
    for (topic, partition) in places {
        asked.add_partition(topic, *partition);
    }
    let ask = || {
        let found = client.committed_offsets(asked.clone(), patience)?;
        let errors = found.elements().into_iter().map(|one| one.error());
        errors.collect::<KafkaResult<()>>().map(|()| found)
    };
    let found = patiently(patience, ask)?;
    let mut committed = Committed::new();
    for element in found.elements() {
        if let Offset::Offset(position) = element.offset() {
            let place = (element.topic().to_owned(), element.partition());
            let position = u64::try_from(position).unwrap_or_default();
            let metadata = element.metadata().to_owned();
            committed.insert(place, Known { position, metadata });
        }
    }
    Ok(committed)
}

/// A position as the client takes it.
pub(crate) fn offset(position: u64) -> Offset {
    Offset::Offset(i64::try_from(position).unwrap_or(i64::MAX))
}

/// Partitions by name.
pub(crate) fn places(partitions: &TopicPartitionList) -> BTreeSet<Place> {
    let elements = partitions.elements().into_iter();
    elements
        .map(|element| (element.topic().to_owned(), element.partition()))
        .collect()
}

/// What was found for a partition.
pub(crate) fn value(found: &Ends, place: &Place) -> Option<u64> {
    found.get(place).copied().flatten()
}

/// The first positions at or after a time in milliseconds, or the ends, which `ListOffsets` takes in the place of a time (KIP-79);
/// `None` where there is no such message.
pub(crate) fn offsets<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    places: &BTreeSet<Place>,
    time: Offset,
    patience: Duration,
) -> KafkaResult<Ends> {
    if places.is_empty() {
        return Ok(Ends::new());
    }
    let mut asked = TopicPartitionList::new();
    for (topic, partition) in places {
        asked.add_partition_offset(topic, *partition, time)?;
    }
    let found = patiently(patience, || {
        client.offsets_for_times(asked.clone(), patience)
    })?;
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
