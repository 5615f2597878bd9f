//! The receiving side: a client with a thread that polls it, and what lies between the thread and the loop.
//!
//! The thread keeps the membership alive however long a handler takes; when the loop takes nothing, fetching is paused and polling goes on.

mod commit;
mod commits;
mod fill;
mod lanes;
mod open;
mod positions;
mod queue;
mod rebalance;
mod shared;
mod start;
mod thread;

pub(crate) use commit::sort;
pub(crate) use commits::{Commit, METADATA, NOTES, list, saved_of};
pub(crate) use lanes::Lanes;
pub(crate) use open::{Opening, open};
pub(crate) use positions::{Committed, Place, committed, offset, offsets, value};
pub(crate) use rebalance::Rebalances;
pub(crate) use shared::{Client, Shared, purpose};
pub(crate) use start::FOUNDED;

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{Consumer, Event, LaneId, Record, Settler, Transaction},
    error::Result,
};
use shared::Command;
use tokio::sync::oneshot;

use crate::{
    error,
    transaction::{KafkaTransaction, TransactionPlan},
};

/// A subscription of a binding.
#[derive(Debug)]
pub(crate) struct KafkaConsumer {
    shared: Arc<Shared>,
    transactions: TransactionPlan,
    /// Ends when the thread has ended.
    ended: Option<oneshot::Receiver<()>>,
}

impl KafkaConsumer {
    async fn ask<T>(&self, make: impl FnOnce(oneshot::Sender<Result<T>>) -> Command) -> Result<T> {
        self.shared.link.open()?;
        let (reply, answer) = oneshot::channel();
        self.shared.order(make(reply));
        answer.await.map_err(|_| error::closed())?
    }
}

#[async_trait]
impl Consumer for KafkaConsumer {
    async fn receive(&mut self, records: &mut Vec<Record>, max: usize) -> Result<Event> {
        loop {
            if self.shared.link.is_closed() {
                return Ok(Event::Ended(error::closed()));
            }
            if let Some(event) = self.shared.queue.take(records, max) {
                if let Event::Assigned(assigned) = &event {
                    let mut lanes = self.shared.lanes();
                    assigned
                        .iter()
                        .for_each(|lane| lanes.tell(lane.id, lane.epoch));
                }
                return Ok(event);
            }
            tokio::select! {
                biased;
                () = self.shared.queue.arrived() => {}
                error = self.shared.link.closing() => return Ok(Event::Ended(error)),
            }
        }
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(commit::KafkaSettler::new(self.shared.clone()))
    }

    async fn released(&mut self, lanes: &[LaneId]) -> Result<()> {
        let lanes = lanes.to_vec();
        self.ask(|reply| Command::Released { lanes, reply }).await
    }

    async fn pause(&mut self, lanes: &[LaneId]) -> Result<()> {
        let lanes = lanes.to_vec();
        self.ask(|reply| Command::Pause { lanes, reply }).await
    }

    async fn resume(&mut self, lanes: &[LaneId]) -> Result<()> {
        let lanes = lanes.to_vec();
        self.ask(|reply| Command::Resume { lanes, reply }).await
    }

    async fn seek(&mut self, lane: LaneId, position: u64) -> Result<()> {
        self.ask(|reply| Command::Seek {
            lane,
            position,
            reply,
        })
        .await
    }

    async fn transaction(&mut self) -> Result<Box<dyn Transaction>> {
        let opened = KafkaTransaction::open(&self.transactions, self.shared.clone()).await?;
        Ok(Box::new(opened))
    }

    async fn close(mut self: Box<Self>) -> Result<()> {
        self.shared.stop();
        if let Some(ended) = self.ended.take() {
            // An error is the thread's end too.
            drop(ended.await);
        }
        Ok(())
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
