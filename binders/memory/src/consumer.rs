//! The receiving side.

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{Capability, Consumer, Event, LaneId, Record, Settler, Transaction},
    error::Result,
};
use tokio::{
    sync::Notify,
    task::consume_budget,
    time::{Instant, timeout_at},
};

use crate::{
    broker::{Broker, Ended, MemberKey, Received},
    error,
    session::Session,
    settler::MemorySettler,
    transaction::MemoryTransaction,
};

/// A subscription. Dropping it gives back at once what it has.
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

    fn with(&self, capability: Capability) -> Result<&Broker> {
        let broker = self.session.open()?;
        if broker.options.has(capability) {
            Ok(broker)
        } else {
            Err(error::unsupported(capability.name()))
        }
    }
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn receive(&mut self, records: &mut Vec<Record>, max: usize) -> Result<Event> {
        // Nothing is handed out before the last wait, so that dropping the future loses nothing.
        loop {
            // A loop of calls that are always ready leaves other tasks their time.
            consume_budget().await;
            let broker = self.session.open()?;
            broker.trouble.linger().await;
            let received = broker.lock().receive(self.key, records, max, broker);
            match received {
                Received::Event(event) => return Ok(event),
                Received::Again => {}
                Received::Nothing(due) => self.wait(due).await,
                Received::Ended(Ended::Disconnected) => {
                    return Ok(Event::Ended(error::disconnected()));
                }
                Received::Ended(Ended::Deleted) => return Ok(Event::Ended(error::deleted())),
                Received::Ended(Ended::Closed) => return Err(error::closed()),
            }
        }
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(MemorySettler::new(self.session.clone(), self.key))
    }

    async fn released(&mut self, lanes: &[LaneId]) -> Result<()> {
        let broker = self.session.open()?;
        if broker.options.is_positional {
            broker.lock().release_lanes(self.key, lanes, broker)
        } else {
            Ok(())
        }
    }

    async fn pause(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.session.open()?.lock().pause(self.key, lanes);
        Ok(())
    }

    async fn resume(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.session.open()?.lock().resume(self.key, lanes);
        Ok(())
    }

    async fn seek(&mut self, lane: LaneId, position: u64) -> Result<()> {
        let broker = self.with(Capability::Seek)?;
        broker.lock().seek_lane(self.key, lane, position, broker)
    }

    async fn transaction(&mut self) -> Result<Box<dyn Transaction>> {
        self.with(Capability::Transactions)?;
        Ok(Box::new(MemoryTransaction::new(
            self.session.clone(),
            self.key,
        )))
    }

    async fn close(self: Box<Self>) -> Result<()> {
        // Leaving is what dropping does.
        Ok(())
    }
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        self.session
            .broker
            .lock()
            .leave(self.key, &self.session.broker);
    }
}
