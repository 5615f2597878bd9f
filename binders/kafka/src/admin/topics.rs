//! Topics: listing, creating, verifying, emptying, deleting.

use std::collections::BTreeSet;

use mq_core::{
    binder::{DestinationInfo, DestinationPlan, Drift, ProvisionReport},
    error::{Error, ErrorKind, Result},
};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminOptions, NewTopic, TopicReplication},
    consumer::Consumer,
    error::IsError,
    types::RDKafkaErrorCode,
};

use super::KafkaAdmin;
use crate::{
    consumer::{Place, offsets},
    error,
};

/// Leaves a number to the broker (KIP-464).
const DEFAULT: i32 = -1;

impl KafkaAdmin {
    pub(super) fn list(&self) -> Result<Vec<DestinationInfo>> {
        let metadata = self
            .client
            .fetch_metadata(None, self.timeout())
            .map_err(|error| error::classify("listing topics", &error))?;
        let topics = metadata.topics().iter();
        let own = topics.filter(|topic| !topic.name().starts_with("__"));
        Ok(own
            .map(|topic| DestinationInfo::new(topic.name(), count(topic.partitions().len())))
            .collect())
    }

    /// The partitions of a topic; `NotFound` if there is none.
    pub(super) fn partitions(&self, topic: &str) -> Result<u32> {
        let metadata = self
            .client
            .fetch_metadata(Some(topic), self.timeout())
            .map_err(|error| error::classify("looking a topic up", &error))?;
        let Some(found) = metadata.topics().first() else {
            return Err(error::no_topic(topic));
        };
        if let Some(code) = found.error().filter(IsError::is_error) {
            let code = RDKafkaErrorCode::from(code);
            if matches!(
                code,
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic
            ) {
                return Err(error::no_topic(topic));
            }
            return Err(
                error::of_code("looking a topic up", code, &code.to_string())
                    .context("destination", topic),
            );
        }
        Ok(count(found.partitions().len()))
    }

    /// Every partition of a topic.
    pub(super) fn places(&self, topic: &str) -> Result<BTreeSet<Place>> {
        let partitions = i32::try_from(self.partitions(topic)?).unwrap_or(i32::MAX);
        Ok((0..partitions).map(|one| (topic.to_owned(), one)).collect())
    }

    pub(super) async fn create(&self, plan: &[DestinationPlan]) -> Result<ProvisionReport> {
        let mut report = ProvisionReport::default();
        let mut missing = Vec::new();
        for wanted in plan {
            let name = wanted.name.clone();
            match self.blocking(move |own| own.partitions(&name)).await {
                Ok(found) => report.drift.extend(drift(wanted, found)),
                Err(error) if error.kind() == ErrorKind::NotFound => missing.push(wanted),
                Err(error) => return Err(error),
            }
        }
        if missing.is_empty() {
            return Ok(report);
        }
        let settings: Vec<_> = self
            .settings
            .topic
            .iter()
            .map(|(name, value)| (name, value.to_string()))
            .collect();
        let topics: Vec<_> = missing
            .iter()
            .map(|wanted| {
                let partitions = wanted.partitions.or(self.settings.partitions);
                let partitions =
                    partitions.map_or(DEFAULT, |count| i32::try_from(count).unwrap_or(i32::MAX));
                let replication = self.settings.replication.map_or(DEFAULT, i32::from);
                let topic = NewTopic::new(
                    &wanted.name,
                    partitions,
                    TopicReplication::Fixed(replication),
                );
                settings
                    .iter()
                    .fold(topic, |topic, (name, value)| topic.set(name, value))
            })
            .collect();
        let options = AdminOptions::new()
            .operation_timeout(Some(self.timeout()))
            .request_timeout(Some(self.timeout()));
        let results = self
            .admin
            .create_topics(&topics, &options)
            .await
            .map_err(|error| error::classify("creating topics", &error))?;
        for result in results {
            match result {
                Ok(name) => report.created.push(name),
                // Another instance was faster.
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    return Err(error::of_code("creating a topic", code, &code.to_string())
                        .context("destination", name));
                }
            }
        }
        for wanted in missing {
            self.await_topic(&wanted.name).await?;
        }
        Ok(report)
    }

    /// Waits until the brokers know a topic that was created.
    async fn await_topic(&self, name: &str) -> Result<()> {
        let begin = std::time::Instant::now();
        loop {
            let own = name.to_owned();
            match self.blocking(move |admin| admin.partitions(&own)).await {
                Ok(_) => return Ok(()),
                Err(error) if begin.elapsed() > self.timeout() => return Err(error),
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
    }

    pub(super) fn verify(&self, plan: &[DestinationPlan]) -> Result<ProvisionReport> {
        let mut report = ProvisionReport::default();
        let mut missing = Vec::new();
        for wanted in plan {
            match self.partitions(&wanted.name) {
                Ok(found) => {
                    report.drift.extend(drift(wanted, found));
                    for group in &wanted.groups {
                        if !self.is_founded(&wanted.name, group)? {
                            missing.push(format!("group `{group}` of `{}`", wanted.name));
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    missing.push(format!("destination `{}`", wanted.name));
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(drift) = report.drift.first() {
            let text =
                format!("{drift}; `provision = \"verify\"` changes nothing: ask for what is there");
            return Err(Error::new(ErrorKind::Config, text));
        }
        if missing.is_empty() {
            return Ok(report);
        }
        let text = format!(
            "the cluster lacks what `provision = \"verify\"` expects: {}; create it, or set `provision = \"create\"`",
            missing.join(", ")
        );
        Err(Error::new(ErrorKind::NotFound, text))
    }

    pub(super) async fn empty(&self, topic: &str) -> Result<u64> {
        let name = topic.to_owned();
        let (places, count) = self
            .blocking(move |own| {
                let places = own.places(&name)?;
                let patience = own.timeout();
                let classify = |error| error::classify("purging", &error);
                let low =
                    offsets(&own.client, &places, Offset::Beginning, patience).map_err(classify)?;
                let high =
                    offsets(&own.client, &places, Offset::End, patience).map_err(classify)?;
                let sum = |ends: &std::collections::BTreeMap<Place, Option<u64>>| {
                    ends.values().copied().flatten().sum::<u64>()
                };
                Ok((places, sum(&high).saturating_sub(sum(&low))))
            })
            .await?;
        let list = ends(&places).map_err(|error| error::classify("purging", &error))?;
        let options = AdminOptions::new().operation_timeout(Some(self.timeout()));
        self.admin
            .delete_records(&list, &options)
            .await
            .map_err(|error| error::classify("purging", &error))?;
        Ok(count)
    }

    pub(super) async fn remove(&self, topic: &str) -> Result<()> {
        let options = AdminOptions::new().operation_timeout(Some(self.timeout()));
        let results = self
            .admin
            .delete_topics(&[topic], &options)
            .await
            .map_err(|error| error::classify("deleting a topic", &error))?;
        for result in results {
            if let Err((name, code)) = result {
                return Err(error::of_code("deleting a topic", code, &code.to_string())
                    .context("destination", name));
            }
        }
        Ok(())
    }
}

/// The ends of partitions, as deleting takes them.
fn ends(places: &BTreeSet<Place>) -> rdkafka::error::KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in places {
        list.add_partition_offset(topic, *partition, Offset::End)?;
    }
    Ok(list)
}

fn count(found: usize) -> u32 {
    u32::try_from(found).unwrap_or(u32::MAX)
}

fn drift(wanted: &DestinationPlan, found: u32) -> Option<Drift> {
    let partitions = wanted
        .partitions
        .filter(|partitions| *partitions != found)?;
    Some(Drift {
        destination: wanted.name.clone(),
        what: "partitions",
        wanted: partitions.to_string(),
        found: found.to_string(),
    })
}
