//! The settling half of a consumer: positions.

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{Action, SettleError, Settlement, Settler, Unsettled},
    error::{Error, ErrorKind, Result},
};
use rdkafka::error::KafkaError;
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    Lanes, Shared,
    commits::{Commit, NOTES},
};
use crate::error;

#[derive(Debug)]
pub(crate) struct KafkaSettler {
    shared: Arc<Shared>,
}

impl KafkaSettler {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

/// Settlements that can be committed, each with its index in the call, and those that cannot.
pub(crate) struct Sorted {
    pub(crate) commits: Vec<(usize, Commit)>,
    pub(crate) unsettled: Vec<Unsettled>,
}

/// Looks which settlements are commits of lanes that are still assigned.
pub(crate) fn sort(lanes: &Lanes, settlements: &[Settlement]) -> Sorted {
    let mut sorted = Sorted {
        commits: Vec::with_capacity(settlements.len()),
        unsettled: Vec::new(),
    };
    for (index, settlement) in settlements.iter().enumerate() {
        match commit(lanes, settlement) {
            Ok(commit) => sorted.commits.push((index, commit)),
            Err(error) => sorted.unsettled.push(Unsettled { index, error }),
        }
    }
    sorted
}

fn commit(lanes: &Lanes, settlement: &Settlement) -> Result<Commit, SettleError> {
    let Action::Commit { saved } = &settlement.action else {
        let text = "settling of single messages: it commits positions";
        return Err(SettleError::Failed(error::unsupported(text)));
    };
    let slot = lanes.current(settlement.lane, settlement.epoch);
    let slot = slot.ok_or(SettleError::Lost)?;
    if saved.as_ref().is_some_and(|notes| notes.len() > NOTES) {
        let text = format!("at most {NOTES} bytes fit beside a position");
        return Err(SettleError::Failed(Error::new(ErrorKind::TooLarge, text)));
    }
    Ok(Commit {
        lane: settlement.lane,
        epoch: settlement.epoch,
        topic: slot.topic.clone(),
        partition: slot.partition,
        position: settlement.position,
        notes: saved.clone(),
    })
}

#[async_trait]
impl Settler for KafkaSettler {
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Unsettled>> {
        self.shared.link.open()?;
        let mut sorted = sort(&self.shared.lanes(), settlements);
        if self.shared.group.is_none() || sorted.commits.is_empty() {
            return Ok(sorted.unsettled);
        }
        match self.commit(&sorted).await? {
            Ok(()) => {}
            Err(error) => {
                for (index, _) in &sorted.commits {
                    let error = refused(&error);
                    sorted.unsettled.push(Unsettled {
                        index: *index,
                        error,
                    });
                }
            }
        }
        Ok(sorted.unsettled)
    }
}

impl KafkaSettler {
    async fn commit(&self, sorted: &Sorted) -> Result<Result<(), KafkaError>> {
        let client = self.shared.client().ok_or_else(error::cut)?;
        let commits = sorted.commits.iter().map(|(_, commit)| commit.clone());
        let (answer, is_first) = self.shared.commits.add(commits.collect())?;
        if is_first {
            let shared = self.shared.clone();
            // It answers whoever waits; nobody has to wait for its end.
            drop(spawn_blocking(move || {
                shared.commits.run(&shared, &client.0);
            }));
        }
        match timeout(self.shared.timeout, answer).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => Err(error::cut()),
            Err(_) => Err(error::timed_out("committing")),
        }
    }
}

fn refused(error: &KafkaError) -> SettleError {
    let error = error::classify("committing", error);
    match error.kind() {
        ErrorKind::Lost => SettleError::Lost,
        // Messages came: the right was there, and may come back.
        ErrorKind::Unauthorized => SettleError::Failed(error.temporary()),
        _ => SettleError::Failed(error),
    }
}
