//! A binder around the memory binder that notes what passes.

use std::sync::Arc;

use async_trait::async_trait;
use mq::{
    binder::{
        Admin, Binder, Capabilities, Consumer, ConsumerSpec, DestinationPlan, Event, Health,
        LaneId, Producer, ProducerSpec, ProvisionReport, Receipt, Record, Settlement, Settler,
        Transaction, Unsettled,
    },
    error::Result,
    memory::MemoryBinder,
    message::Message,
    policy::Provision,
};

use super::broker::Seen;

pub(crate) struct Spy {
    pub(crate) inner: MemoryBinder,
    pub(crate) seen: Arc<Seen>,
}

impl std::fmt::Debug for Spy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spy")
    }
}

#[async_trait]
impl Binder for Spy {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn provision(
        &self,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        self.inner.provision(plan, mode).await
    }

    async fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        let inner = self.inner.consumer(spec).await?;
        self.seen.notes().subscriptions += 1;
        Ok(Box::new(SpyConsumer {
            inner,
            seen: self.seen.clone(),
        }))
    }

    async fn producer(&self, spec: &ProducerSpec) -> Result<Arc<dyn Producer>> {
        let inner = self.inner.producer(spec).await?;
        let destination = spec.destination.clone();
        Ok(Arc::new(SpyProducer {
            inner,
            destination,
            seen: self.seen.clone(),
        }))
    }

    fn health(&self) -> Health {
        self.inner.health()
    }

    fn admin(&self) -> &dyn Admin {
        self.inner.admin()
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

struct SpyConsumer {
    inner: Box<dyn Consumer>,
    seen: Arc<Seen>,
}

#[async_trait]
impl Consumer for SpyConsumer {
    async fn receive(&mut self, records: &mut Vec<Record>, max: usize) -> Result<Event> {
        self.seen.notes().receiving += 1;
        self.inner.receive(records, max).await
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(SpySettler {
            inner: self.inner.settler(),
            seen: self.seen.clone(),
        })
    }

    async fn released(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.inner.released(lanes).await
    }

    async fn pause(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.seen.notes().pauses.push(true);
        self.inner.pause(lanes).await
    }

    async fn resume(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.seen.notes().pauses.push(false);
        self.inner.resume(lanes).await
    }

    async fn seek(&mut self, lane: LaneId, position: u64) -> Result<()> {
        self.inner.seek(lane, position).await
    }

    async fn transaction(&mut self) -> Result<Box<dyn Transaction>> {
        self.inner.transaction().await
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.inner.close().await
    }
}

struct SpySettler {
    inner: Arc<dyn Settler>,
    seen: Arc<Seen>,
}

#[async_trait]
impl Settler for SpySettler {
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Unsettled>> {
        let mut refused = Vec::new();
        let (mut asked, mut indices) = (Vec::new(), Vec::new());
        for (index, settlement) in settlements.iter().enumerate() {
            let answer = self
                .seen
                .notes()
                .on_settle
                .as_mut()
                .and_then(|answer| answer(settlement));
            match answer {
                Some(error) => refused.push(Unsettled { index, error }),
                None => {
                    indices.push(index);
                    asked.push(settlement.clone());
                }
            }
        }
        let mut unsettled = self.inner.settle(&asked).await?;
        let failed: Vec<usize> = unsettled.iter().map(|one| one.index).collect();
        let good = asked
            .into_iter()
            .enumerate()
            .filter(|(index, _)| !failed.contains(index));
        self.seen
            .notes()
            .settlements
            .extend(good.map(|(_, settlement)| settlement));
        unsettled
            .iter_mut()
            .for_each(|one| one.index = indices[one.index]);
        refused.append(&mut unsettled);
        Ok(refused)
    }
}

struct SpyProducer {
    inner: Arc<dyn Producer>,
    destination: Arc<str>,
    seen: Arc<Seen>,
}

impl SpyProducer {
    /// Asks the test; as the contract says, what has the key of a refused message is refused with it.
    async fn publish_one(&self, message: &Message, refused: &mut Vec<Message>) -> Result<Receipt> {
        let destination = message
            .properties()
            .destination
            .as_ref()
            .unwrap_or(&self.destination);
        if message.as_key().is_some() && refused.iter().any(|one| one.as_key() == message.as_key())
        {
            return Err(super::away());
        }
        let answer = self
            .seen
            .notes()
            .on_publish
            .as_mut()
            .and_then(|answer| answer(destination, message));
        match answer {
            Some(error) => {
                refused.extend(error.is_temporary().then(|| message.clone()));
                Err(error)
            }
            None => self
                .inner
                .publish(std::slice::from_ref(message))
                .await
                .remove(0),
        }
    }
}

#[async_trait]
impl Producer for SpyProducer {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        let results = if self.seen.notes().on_publish.is_none() {
            self.inner.publish(messages).await
        } else {
            let (mut results, mut refused) = (Vec::new(), Vec::new());
            for message in messages {
                results.push(self.publish_one(message, &mut refused).await);
            }
            results
        };
        let mut holding = self.seen.holding.subscribe();
        holding
            .wait_for(|holding| !holding)
            .await
            .expect("the broker outlives its producers");
        results
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}
