//! The receiving side.

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{Consumer, Event, LaneId, Record, Settlement, Settler, Unsettled},
    error::Result,
};
use tokio::{
    sync::Notify,
    task::consume_budget,
    time::{Instant, timeout_at},
};

use crate::{
    broker::{MemberKey, Received},
    error,
    session::Session,
};

/// A subscription.
#[derive(Debug)]
pub(crate) struct MemoryConsumer {
    session: Session,
    key: MemberKey,
    notify: Arc<Notify>,
}

impl MemoryConsumer {
    pub(crate) fn new(session: Session, key: MemberKey, notify: Arc<Notify>) -> Self {
        Self {
            session,
            key,
            notify,
        }
    }

    fn ask(&self, records: &mut Vec<Record>, max: usize) -> Result<Received> {
        let broker = self.session.open()?;
        let mut state = broker.lock();
        Ok(state.receive(self.key, records, max, &broker.options, broker.clock))
    }

    /// Waits for a notice, or for the time at which something becomes due.
    async fn wait(&self, due: Option<Instant>) {
        match due {
            None => self.notify.notified().await,
            Some(due) => {
                // Both ends of the wait mean the same: look again.
                let _ = timeout_at(due, self.notify.notified()).await;
            }
        }
    }
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn receive(&mut self, records: &mut Vec<Record>, max: usize) -> Result<Event> {
        loop {
            // A loop of ready calls leaves other tasks their time; nothing is taken out yet when this future is dropped here.
            consume_budget().await;
            match self.ask(records, max)? {
                Received::Event(event) => return Ok(event),
                Received::Again => {}
                Received::Nothing(due) => self.wait(due).await,
                Received::Ended(_) => return Err(error::closed()),
            }
        }
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(MemorySettler {
            session: self.session.clone(),
            key: self.key,
        })
    }

    async fn released(&mut self, _lanes: &[LaneId]) -> Result<()> {
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<()> {
        // Leaving is what dropping does.
        Ok(())
    }
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        self.session.broker.lock().leave(self.key);
    }
}

/// The settling half.
#[derive(Debug)]
struct MemorySettler {
    session: Session,
    key: MemberKey,
}

#[async_trait]
impl Settler for MemorySettler {
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Unsettled>> {
        consume_budget().await;
        let broker = self.session.open()?;
        Ok(broker
            .lock()
            .settle(self.key, settlements, &broker.options, broker.clock))
    }
}
