//! Topics: listing, looking up, emptying, deleting.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use mq_core::{
    binder::DestinationInfo,
    error::{Error, ErrorKind, Result},
};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::AdminOptions,
    consumer::Consumer,
    error::{IsError, KafkaResult},
    metadata::{Metadata, MetadataTopic},
    types::RDKafkaErrorCode,
};
use tokio::time::sleep;

use super::KafkaAdmin;
use crate::{consumer::Place, error};

/// How long the first question for metadata may take before it is looked whether the cluster lets us in at all.
const SLICE: Duration = Duration::from_millis(500);
/// The cluster is asked this often whether a change has taken effect.
pub(super) const AGAIN: Duration = Duration::from_millis(20);
/// Clusters with more partitions are listed without counts.
const COUNTED: usize = 10_000;

/// A topic that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) partitions: u32,
    /// Copies of the partition that has the fewest.
    pub(super) replication: u32,
}

impl Topic {
    fn new(found: &MetadataTopic) -> Self {
        let copies = found.partitions().iter().map(|one| one.replicas().len());
        Self {
            partitions: count(found.partitions().len()),
            replication: count(copies.min().unwrap_or_default()),
        }
    }
}

impl KafkaAdmin {
    /// Asks until an answer comes, the time is over, or it is clear that the cluster does not let us in.
    fn metadata(&self, what: &'static str, topic: Option<&str>) -> Result<Metadata> {
        let deadline = Instant::now() + self.timeout();
        let mut slice = SLICE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let patience = slice.min(left).max(AGAIN);
            // An answer that takes long must have the time for it.
            slice *= 4;
            let error = match self.client.fetch_metadata(topic, patience) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => error::classify(what, &error),
            };
            // Serves the client's errors: the refusal may be among them.
            drop(self.client.poll(Duration::ZERO));
            let is_over = Instant::now() >= deadline || self.link.is_closed();
            if is_over || !error.is_temporary() || self.link.is_refused() {
                return Err(self.link.explain(error));
            }
        }
    }

    pub(super) fn list(&self) -> Result<Vec<DestinationInfo>> {
        let metadata = self.metadata("listing topics", None)?;
        let topics = metadata.topics().iter();
        let own = topics
            .filter(|topic| !topic.name().starts_with("__") && !topic.partitions().is_empty());
        let mut listed: Vec<_> = own
            .map(|topic| DestinationInfo::new(topic.name(), count(topic.partitions().len())))
            .collect();
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        self.count(&mut listed);
        Ok(listed)
    }

    /// Adds how many positions each topic keeps: as many as messages, where nothing was compacted and no transactions were written.
    fn count(&self, listed: &mut [DestinationInfo]) {
        let of = |one: &DestinationInfo| {
            let name = one.name.to_string();
            (0..one.partitions)
                .map(move |partition| (name.clone(), i32::try_from(partition).unwrap_or_default()))
        };
        let places: BTreeSet<Place> = listed.iter().flat_map(of).collect();
        if places.is_empty() || places.len() > COUNTED {
            return;
        }
        // Whoever may see a topic may not always see its ends; then the list goes without counts.
        let Ok(ends) = self.ends_of("counting messages", &places) else {
            return;
        };
        let mut ends = places.iter().zip(ends).peekable();
        for one in listed {
            let mut messages = 0;
            while let Some((_, ends)) = ends.next_if(|((topic, _), _)| **topic == *one.name) {
                messages += ends.len();
            }
            one.messages = Some(messages);
        }
    }

    /// A topic; `NotFound` if there is none.
    pub(super) fn lookup(&self, topic: &str) -> Result<Topic> {
        let metadata = self.metadata("looking a topic up", Some(topic))?;
        let Some(found) = metadata.topics().first() else {
            return Err(error::no_topic(topic));
        };
        let Some(code) = found.error().filter(IsError::is_error) else {
            return Ok(Topic::new(found));
        };
        use RDKafkaErrorCode as C;
        match RDKafkaErrorCode::from(code) {
            C::UnknownTopicOrPartition | C::UnknownTopic => Err(error::no_topic(topic)),
            C::TopicAuthorizationFailed => Err(unauthorized(topic, "see")),
            C::InvalidTopic => Err(error::no_name(topic)),
            code => Err(
                error::of_code("looking a topic up", code, &code.to_string())
                    .context("destination", topic),
            ),
        }
    }

    /// The partitions of a topic.
    pub(super) fn places(&self, topic: &str) -> Result<BTreeSet<Place>> {
        let partitions = i32::try_from(self.lookup(topic)?.partitions).unwrap_or(i32::MAX);
        Ok((0..partitions).map(|one| (topic.to_owned(), one)).collect())
    }

    pub(super) async fn empty(&self, topic: &str) -> Result<u64> {
        let name = topic.to_owned();
        let (places, ends) = self
            .blocking(move |own| {
                let places = own.places(&name)?;
                let ends = own.ends_of("purging", &places)?;
                Ok((places, ends))
            })
            .await?;
        let failed = |error| error::classify("purging", &error).context("destination", topic);
        let list = list(&places).map_err(failed)?;
        let emptied = self
            .changes()?
            .delete_records(&list, &self.options())
            .await
            .map_err(failed)?;
        for element in emptied.elements() {
            element
                .error()
                .map_err(|error| not_emptied(topic, failed(error)))?;
        }
        Ok(ends.iter().map(|ends| ends.len()).sum())
    }

    pub(super) async fn remove(&self, topic: &str) -> Result<()> {
        let name = topic.to_owned();
        self.blocking(move |own| own.lookup(&name)).await?;
        let results = self
            .changes()?
            .delete_topics(&[topic], &self.options())
            .await
            .map_err(|error| {
                self.link
                    .explain(error::classify("deleting a topic", &error))
            })?;
        for result in results {
            match result {
                Ok(_) => {}
                Err((name, RDKafkaErrorCode::TopicAuthorizationFailed)) => {
                    return Err(unauthorized(&name, "delete"));
                }
                Err((name, code)) => {
                    return Err(error::of_code("deleting a topic", code, &code.to_string())
                        .context("destination", name));
                }
            }
        }
        self.until(topic, |found| found.is_none()).await
    }

    pub(super) fn options(&self) -> AdminOptions {
        AdminOptions::new()
            .operation_timeout(Some(self.timeout()))
            .request_timeout(Some(self.timeout()))
    }

    /// Waits until the brokers know what has become of a topic.
    pub(super) async fn until(
        &self,
        name: &str,
        is_done: impl Fn(Option<Topic>) -> bool,
    ) -> Result<()> {
        let begin = Instant::now();
        loop {
            let own = name.to_owned();
            let found = match self.blocking(move |admin| admin.lookup(&own)).await {
                Ok(found) => Ok(Some(found)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            };
            match found {
                Ok(found) if is_done(found) => return Ok(()),
                Err(error) if begin.elapsed() > self.timeout() => return Err(error),
                _ if begin.elapsed() > self.timeout() => {
                    return Err(error::timed_out("changing a topic").context("destination", name));
                }
                _ => sleep(AGAIN).await,
            }
        }
    }
}

/// The error of a right that is missing: the operation, as Kafka's access control lists call it, on this topic.
pub(super) fn unauthorized(topic: &str, what: &str) -> Error {
    let operation = match what {
        "see" => "Describe",
        "create" => "Create",
        "delete" => "Delete",
        _ => "Alter",
    };
    let text = format!(
        "the user may not {what} the topic `{topic}`; give it the operation {operation} on the topic by an access control list"
    );
    Error::new(ErrorKind::Unauthorized, text).context("destination", topic)
}

fn not_emptied(topic: &str, error: Error) -> Error {
    if error.kind() != ErrorKind::Rejected {
        return error;
    }
    let text = "the cluster does not delete from this topic: it is compacted only; publish tombstones, or add `delete` to its `cleanup.policy`";
    Error::new(ErrorKind::Rejected, text).context("destination", topic)
}

/// Everything up to the ends of partitions, as deleting takes it.
fn list(places: &BTreeSet<Place>) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in places {
        list.add_partition_offset(topic, *partition, Offset::End)?;
    }
    Ok(list)
}

fn count(found: usize) -> u32 {
    u32::try_from(found).unwrap_or(u32::MAX)
}
