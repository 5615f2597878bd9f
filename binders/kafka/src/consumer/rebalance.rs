//! What the group tells: partitions that come and go.

use std::sync::{Mutex, PoisonError, Weak};

use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol},
    error::{KafkaError, KafkaResult},
    types::RDKafkaRespErr,
};

use super::Shared;
use crate::client::{Context, Hooks};

/// A change of the assignment that the thread has to carry out.
#[derive(Debug)]
pub(crate) enum Change {
    Assign(TopicPartitionList),
    Revoke(TopicPartitionList),
}

/// The callbacks of a consumer's client. They run in the thread that polls, and only note what is to be done.
#[derive(Debug)]
pub(crate) struct Rebalances {
    changes: Mutex<Vec<Change>>,
    refusal: Mutex<Option<KafkaError>>,
    shared: Weak<Shared>,
}

impl Rebalances {
    pub(crate) fn new(shared: Weak<Shared>) -> Self {
        Self {
            changes: Mutex::default(),
            refusal: Mutex::default(),
            shared,
        }
    }

    pub(crate) fn take(&self) -> Vec<Change> {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An error that was reported globally and ends the subscription.
    pub(crate) fn take_refusal(&self) -> Option<KafkaError> {
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.take()
    }

    fn is_stopping(&self) -> bool {
        self.shared
            .upgrade()
            .is_none_or(|shared| shared.is_stopping())
    }
}

impl Hooks for Rebalances {
    fn trouble(&self, error: &KafkaError) {
        let kind = crate::error::classify("reading", error);
        if !kind.is_temporary() {
            *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
    }
}

impl ConsumerContext for Context<Rebalances> {
    fn rebalance(
        &self,
        client: &BaseConsumer<Self>,
        code: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if self.hooks.is_stopping() {
            // Whoever is leaving answers at once, so that leaving does not wait.
            drop(match code {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                    take_over(client, partitions)
                }
                _ => let_go(client, partitions),
            });
            return;
        }
        let change = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                Change::Assign(partitions.clone())
            }
            _ => Change::Revoke(partitions.clone()),
        };
        let mut changes = self
            .hooks
            .changes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        changes.push(change);
    }
}

/// Gives partitions up, in the way of the group's protocol.
pub(crate) fn let_go(
    client: &BaseConsumer<Context<Rebalances>>,
    partitions: &TopicPartitionList,
) -> KafkaResult<()> {
    match client.rebalance_protocol() {
        RebalanceProtocol::Cooperative => client.incremental_unassign(partitions),
        _ => client.unassign(),
    }
}

/// Takes partitions, in the way of the group's protocol.
pub(crate) fn take_over(
    client: &BaseConsumer<Context<Rebalances>>,
    partitions: &TopicPartitionList,
) -> KafkaResult<()> {
    match client.rebalance_protocol() {
        RebalanceProtocol::Cooperative => client.incremental_assign(partitions),
        _ => client.assign(partitions),
    }
}
