//! A broker that forgets a commit after it has answered it, as one does whose log of positions was cut off by an unclean election.

use std::time::{Duration, Instant};

use mq_core::error::{Error, Result};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, KafkaResult},
    metadata::MetadataTopic,
    topic_partition_list::TopicPartitionListElem,
};
use tokio::{sync::oneshot, task::spawn_blocking};

use super::{
    expel::{TIMEOUT, failed, leave, members},
    frames::{Named, Request},
};

/// Members may come back before the positions are set back: then they are sent away once more.
const ATTEMPTS: usize = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// What a group has committed.
struct Known {
    group: String,
    client: BaseConsumer,
    positions: TopicPartitionList,
}

/// What is committed of a topic now, to be set back to.
pub(super) struct Memory {
    address: String,
    topic: String,
    groups: Vec<Known>,
}

impl Memory {
    /// Looks what the groups of a topic's readers have committed. A new group commits where it begins, and is waited for.
    pub(super) async fn of(address: &str, topic: &str) -> Result<Self> {
        let (servers, name) = (address.to_owned(), topic.to_owned());
        let groups = spawn_blocking(move || known(&servers, &name)).await;
        Ok(Self {
            address: address.to_owned(),
            topic: topic.to_owned(),
            groups: groups
                .map_err(|error| failed("asking for positions has panicked").source(error))?
                .map_err(cannot)?,
        })
    }

    /// Waits for the next commit of one of the groups and sets the group back to before it; its members lose their partitions by that.
    pub(super) async fn come_back(self, told: oneshot::Receiver<Vec<u8>>) -> Result<()> {
        let Ok(request) = told.await else {
            return Ok(());
        };
        for known in self.groups {
            if Request(&request).names(&Named::new(&known.group)) {
                set_back(&self.address, &self.topic, known).await?;
            }
        }
        Ok(())
    }
}

fn cannot(error: KafkaError) -> Error {
    failed("positions cannot be looked up").source(error)
}

fn known(servers: &str, topic: &str) -> KafkaResult<Vec<Known>> {
    let groups = members(servers, topic)?.into_iter();
    let known = groups.map(|(group, _)| {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("group.id", &group)
            .set("enable.auto.commit", "false")
            .create()?;
        let positions = committed(&client, topic)?;
        Ok(Known {
            group,
            client,
            positions,
        })
    });
    known.collect()
}

/// What is committed of each partition, as soon as something is.
fn committed(client: &BaseConsumer, topic: &str) -> KafkaResult<TopicPartitionList> {
    let begin = Instant::now();
    let metadata = client.fetch_metadata(Some(topic), TIMEOUT)?;
    let mut partitions = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
        partitions.add_partition(topic, partition.id());
    }
    loop {
        let found = client.committed_offsets(partitions.clone(), TIMEOUT)?;
        let elements = found.elements();
        let mut offsets = elements.iter().map(TopicPartitionListElem::offset);
        if offsets.all(|offset| matches!(offset, Offset::Offset(_))) || begin.elapsed() > TIMEOUT {
            return Ok(found);
        }
        std::thread::park_timeout(PAUSE);
    }
}

async fn set_back(address: &str, topic: &str, known: Known) -> Result<()> {
    let mut known = known;
    for _ in 0..ATTEMPTS {
        let (servers, name) = (address.to_owned(), topic.to_owned());
        let present = spawn_blocking(move || members(&servers, &name)).await;
        let present = present.map_err(|error| failed("a task has panicked").source(error))?;
        for (group, ids) in present.map_err(cannot)? {
            if group == known.group {
                leave(address, &group, &ids).await?;
            }
        }
        let setting = spawn_blocking(move || {
            let set = known.client.commit(&known.positions, CommitMode::Sync);
            (known, set.is_ok())
        });
        let (back, is_done) = setting
            .await
            .map_err(|error| failed("a task has panicked").source(error))?;
        if is_done {
            return Ok(());
        }
        known = back;
    }
    Err(failed("the positions cannot be set back"))
}
