//! Groups: making them before anybody reads, their members, how far they have come.

use std::collections::BTreeMap;

use mq_core::{
    binder::{DestinationPlan, GroupInfo, Lag, ReplayFrom},
    error::{Error, ErrorKind, Result},
};
use rdkafka::{
    Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{CommitMode, Consumer},
};

use super::KafkaAdmin;
use crate::{
    client::{Context, Plain, patiently},
    consumer::{FOUNDED, Place, offsets, value},
    error, headers,
};

impl KafkaAdmin {
    /// A client that may look at and set the positions of a group. It does not join.
    fn as_group(&self, group: &str) -> Result<Plain> {
        let mut config = self.config.clone();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false");
        Plain::from_config_and_context(&config, Context::new(&self.link, ()))
            .map_err(|error| error::classify("connecting", &error))
    }

    /// The positions of a group, where it has any.
    fn committed(&self, topic: &str, group: &str) -> Result<BTreeMap<Place, u64>> {
        let client = self.as_group(group)?;
        let mut asked = TopicPartitionList::new();
        for (topic, partition) in self.places(topic)? {
            asked.add_partition(&topic, partition);
        }
        let ask = || client.committed_offsets(asked.clone(), self.timeout());
        let found = patiently(self.timeout(), ask)
            .map_err(|error| error::classify("asking for positions", &error))?;
        let mut positions = BTreeMap::new();
        for element in found.elements() {
            if let Offset::Offset(position) = element.offset() {
                let place = (element.topic().to_owned(), element.partition());
                positions.insert(place, u64::try_from(position).unwrap_or_default());
            }
        }
        Ok(positions)
    }

    pub(super) fn is_founded(&self, topic: &str, group: &str) -> Result<bool> {
        Ok(!self.committed(topic, group)?.is_empty())
    }

    /// Makes the groups that are not there; returns their names.
    pub(super) fn found_all(&self, plan: &[DestinationPlan]) -> Result<Vec<String>> {
        let mut founded = Vec::new();
        for wanted in plan {
            for group in &wanted.groups {
                if !self.is_founded(&wanted.name, group)? && self.found(&wanted.name, group)? {
                    founded.push(format!("{}.{group}", wanted.name));
                }
            }
        }
        Ok(founded)
    }

    /// Notes where the partitions end now, so that whoever reads first as this group misses nothing; whether that was possible.
    fn found(&self, topic: &str, group: &str) -> Result<bool> {
        let places = self.places(topic)?;
        let classify = |error| error::classify("making a group", &error);
        let low =
            offsets(&self.client, &places, Offset::Beginning, self.timeout()).map_err(classify)?;
        let high = offsets(&self.client, &places, Offset::End, self.timeout()).map_err(classify)?;
        let mut list = TopicPartitionList::new();
        for place in &places {
            let mut element = list.add_partition(&place.0, place.1);
            element
                .set_offset(Offset::Offset(
                    i64::try_from(value(&low, place).unwrap_or_default()).unwrap_or(i64::MAX),
                ))
                .map_err(classify)?;
            element.set_metadata(format!(
                "{FOUNDED}{}",
                value(&high, place).unwrap_or_default()
            ));
        }
        let client = self.as_group(group)?;
        match patiently(self.timeout(), || client.commit(&list, CommitMode::Sync)) {
            Ok(()) => Ok(true),
            // Members are there already, and they begin by themselves.
            Err(error) if error::classify("", &error).kind() == ErrorKind::Lost => Ok(false),
            Err(error) => Err(classify(error)),
        }
    }

    pub(super) fn groups_of(&self, topic: &str) -> Result<Vec<GroupInfo>> {
        self.partitions(topic)?;
        let list = self
            .client
            .fetch_group_list(None, self.timeout())
            .map_err(|error| error::classify("listing groups", &error))?;
        let mut groups = Vec::new();
        for group in list.groups() {
            let has_positions = self.is_founded(topic, group.name())?;
            if has_positions {
                let members = u32::try_from(group.members().len()).unwrap_or(u32::MAX);
                groups.push(GroupInfo::new(group.name(), members));
            }
        }
        Ok(groups)
    }

    pub(super) fn lag_of(&self, topic: &str, group: &str) -> Result<Lag> {
        let committed = self.committed(topic, group)?;
        if committed.is_empty() {
            let text = "the destination has no such group";
            return Err(Error::new(ErrorKind::NotFound, text)
                .context("destination", topic)
                .context("group", group));
        }
        let places = self.places(topic)?;
        let classify = |error| error::classify("asking for positions", &error);
        let low =
            offsets(&self.client, &places, Offset::Beginning, self.timeout()).map_err(classify)?;
        let high = offsets(&self.client, &places, Offset::End, self.timeout()).map_err(classify)?;
        let before = |place: &Place| {
            let low = value(&low, place).unwrap_or_default();
            let position = committed.get(place).copied().unwrap_or(low).max(low);
            value(&high, place)
                .unwrap_or_default()
                .saturating_sub(position)
        };
        Ok(Lag::new(places.iter().map(before).sum(), None))
    }

    pub(super) fn move_group(&self, topic: &str, group: &str, from: ReplayFrom) -> Result<()> {
        if !self.is_founded(topic, group)? {
            let text = "the destination has no such group";
            return Err(Error::new(ErrorKind::NotFound, text)
                .context("destination", topic)
                .context("group", group));
        }
        let places = self.places(topic)?;
        let classify = |error| error::classify("moving a group", &error);
        let find = |time| offsets(&self.client, &places, time, self.timeout()).map_err(classify);
        let (low, high) = (find(Offset::Beginning)?, find(Offset::End)?);
        let timed = match from {
            ReplayFrom::Time(time) => find(Offset::Offset(headers::millis(time)))?,
            _ => BTreeMap::new(),
        };
        let mut list = TopicPartitionList::new();
        for place in &places {
            let (low, high) = (
                value(&low, place).unwrap_or_default(),
                value(&high, place).unwrap_or_default(),
            );
            let position = match from {
                ReplayFrom::Earliest => low,
                ReplayFrom::Latest => high,
                ReplayFrom::Time(_) => value(&timed, place).unwrap_or(high),
                ReplayFrom::Position(position) => position.clamp(low, high.max(low)),
            };
            let position = Offset::Offset(i64::try_from(position).unwrap_or(i64::MAX));
            list.add_partition_offset(&place.0, place.1, position)
                .map_err(classify)?;
        }
        self.as_group(group)?.commit(&list, CommitMode::Sync).map_err(|error| {
            let error = error::classify("moving a group", &error);
            if error.kind() != ErrorKind::Lost {
                return error;
            }
            let text = "the group has members, and Kafka moves a group only while it has none; stop its consumers first";
            Error::new(ErrorKind::Rejected, text).context("group", group)
        })
    }
}
