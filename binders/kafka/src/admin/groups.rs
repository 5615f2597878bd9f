//! Groups: making them before anybody reads, their members, moving them.

use std::collections::{BTreeMap, BTreeSet};

use mq_core::{
    binder::{DestinationPlan, GroupInfo, ReplayFrom},
    error::{Error, ErrorKind, Result},
};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer},
    groups::GroupInfo as Listed,
};

use super::{KafkaAdmin, handled::HANDLED, members, together::together};
use crate::{
    client::{Plain, patiently},
    consumer::{Committed, FOUNDED, Place, committed, offset, offsets, value},
    error, headers,
};

impl KafkaAdmin {
    /// Runs what wants a client that may look at and set the positions of a group. It does not join.
    pub(super) fn with_group<T>(
        &self,
        group: &str,
        work: impl FnOnce(&Plain) -> Result<T>,
    ) -> Result<T> {
        let client = match self.pool.take(group) {
            Some(client) => client,
            None => self.group_client(group)?,
        };
        let result = work(&client);
        if result.is_ok() {
            self.pool.put(group, client);
        }
        result
    }

    fn group_client(&self, group: &str) -> Result<Plain> {
        let mut config = self.config.clone();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            // Otherwise the answer waits for transactions that are open (KIP-447), as that of a process which was killed may be.
            .set("isolation.level", "read_uncommitted");
        self.connect(&config)
    }

    pub(super) fn committed(&self, topic: &str, group: &str) -> Result<Committed> {
        let places = self.places(topic)?;
        self.with_group(group, |client| self.positions(client, &places))
    }

    fn positions(&self, client: &Plain, places: &BTreeSet<Place>) -> Result<Committed> {
        committed(client, places, self.timeout()).map_err(|error| {
            self.link
                .explain(error::classify("asking for positions", &error))
        })
    }

    /// The positions of a group that must be there.
    pub(super) fn known(&self, topic: &str, group: &str) -> Result<Committed> {
        let known = self.committed(topic, group)?;
        if known.is_empty() {
            let text = "the destination has no such group; start a consumer of it, or create it with `provision = \"create\"`";
            return Err(Error::new(ErrorKind::NotFound, text)
                .context("destination", topic)
                .context("group", group));
        }
        Ok(known)
    }

    pub(super) fn is_founded(&self, topic: &str, group: &str) -> Result<bool> {
        Ok(!self.committed(topic, group)?.is_empty())
    }

    /// Makes the groups that are not there; returns their names.
    pub(super) fn found_all(&self, plan: &[DestinationPlan]) -> Result<Vec<String>> {
        let founded = together(wanted(plan), |(topic, group)| {
            let is_new = !self.is_founded(topic, group)? && self.found(topic, group)?;
            Ok(is_new.then(|| format!("{topic}.{group}")))
        });
        founded.into_iter().filter_map(Result::transpose).collect()
    }

    /// The groups that are not there, as a report calls them.
    pub(super) fn absent(&self, plan: &[DestinationPlan]) -> Result<Vec<String>> {
        let absent = together(wanted(plan), |(topic, group)| {
            let is_absent = !self.is_founded(topic, group)?;
            Ok(is_absent.then(|| format!("group `{group}` of `{topic}`")))
        });
        absent.into_iter().filter_map(Result::transpose).collect()
    }

    /// Notes where the partitions end now, so that whoever reads first as this group misses nothing; whether that was possible.
    fn found(&self, topic: &str, group: &str) -> Result<bool> {
        let places = self.places(topic)?;
        let ends = self.ends_of("making a group", &places)?;
        let classify = |error| self.link.explain(error::classify("making a group", &error));
        let mut list = TopicPartitionList::new();
        for (place, ends) in places.iter().zip(ends) {
            let mut element = list.add_partition(&place.0, place.1);
            element.set_offset(offset(ends.low)).map_err(classify)?;
            element.set_metadata(format!("{FOUNDED}{}", ends.high));
        }
        self.with_group(group, |client| {
            match patiently(self.timeout(), || client.commit(&list, CommitMode::Sync)) {
                Ok(()) => Ok(true),
                // Members are there already, and they begin by themselves.
                Err(error) if error::classify("", &error).kind() == ErrorKind::Lost => Ok(false),
                Err(error) => Err(classify(error)),
            }
        })
    }

    /// The groups that read a topic: those whose members have subscribed to it, and those without members that have positions there.
    pub(super) fn groups_of(&self, topic: &str) -> Result<Vec<GroupInfo>> {
        let places = self.places(topic)?;
        let list = self
            .client
            .fetch_group_list(None, self.timeout())
            .map_err(|error| self.link.explain(error::classify("listing groups", &error)))?;
        let mut found = Vec::new();
        let mut open = Vec::new();
        let groups = list.groups().iter();
        for group in groups.filter(|group| group.name() != HANDLED) {
            match members::subscribed(group, topic) {
                Some(true) => found.push(info(group)),
                Some(false) => {}
                None => open.push(info(group)),
            }
        }
        for group in together(open, |group| self.with_positions(&places, group)) {
            found.extend(group?);
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// The group, if it has positions in these places.
    fn with_positions(
        &self,
        places: &BTreeSet<Place>,
        group: GroupInfo,
    ) -> Result<Option<GroupInfo>> {
        match self.with_group(&group.name, |client| self.positions(client, places)) {
            Ok(positions) if positions.is_empty() => Ok(None),
            Ok(_) => Ok(Some(group)),
            // Somebody else's group, which this user may not look at.
            Err(error) if error.kind() == ErrorKind::Unauthorized => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn move_group(&self, topic: &str, group: &str, from: ReplayFrom) -> Result<()> {
        self.known(topic, group)?;
        let places = self.places(topic)?;
        let ends = self.ends_of("moving a group", &places)?;
        let classify = |error| self.link.explain(error::classify("moving a group", &error));
        let timed = match from {
            ReplayFrom::Time(time) => {
                let time = Offset::Offset(headers::millis(time));
                offsets(&self.client, &places, time, self.timeout()).map_err(classify)?
            }
            _ => BTreeMap::new(),
        };
        let mut list = TopicPartitionList::new();
        for (place, ends) in places.iter().zip(ends) {
            let position = match from {
                ReplayFrom::Earliest => ends.low,
                ReplayFrom::Latest => ends.high,
                ReplayFrom::Time(_) => value(&timed, place).unwrap_or(ends.high),
                ReplayFrom::Position(position) => position.clamp(ends.low, ends.high.max(ends.low)),
            };
            list.add_partition_offset(&place.0, place.1, offset(position))
                .map_err(classify)?;
        }
        self.with_group(group, |client| {
            patiently(self.timeout(), || client.commit(&list, CommitMode::Sync))
                .map_err(|error| refused(classify(error), group))
        })
    }
}

/// Each group with its topic.
fn wanted(plan: &[DestinationPlan]) -> Vec<(&str, &str)> {
    plan.iter()
        .flat_map(|wanted| wanted.groups.iter().map(|group| (&*wanted.name, &**group)))
        .collect()
}

fn refused(error: Error, group: &str) -> Error {
    if error.kind() != ErrorKind::Lost {
        return error;
    }
    let text = "the group has members, and Kafka moves a group only while it has none; stop its consumers first";
    Error::new(ErrorKind::Rejected, text).context("group", group)
}

/// A group with its members, where these can be asked for.
fn info(group: &Listed) -> GroupInfo {
    if members::is_hidden(group) {
        return GroupInfo::uncounted(group.name());
    }
    let members = u32::try_from(group.members().len()).unwrap_or(u32::MAX);
    GroupInfo::new(group.name(), members)
}
