//! The suite asks nothing of a broker that keeps no message for groups to come, as exchanges with queues do.

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{
        Admin, Binder, Capabilities, Consumer, ConsumerSpec, DestinationPlan, Health, Producer,
        ProducerSpec, ProvisionReport, Receipt,
    },
    error::{Error, ErrorKind, Result},
    message::Message,
    policy::{Provision, Start},
};
use mq_memory::MemoryBinder;
use mq_testkit::conformance::{MemoryForm, Subject};

/// A broker in memory that refuses what no group waits for, and where a new group begins with what is new.
#[derive(Debug)]
struct Exchange(MemoryBinder);

struct Routed {
    inner: Arc<dyn Producer>,
    broker: MemoryBinder,
    destination: Arc<str>,
    turn: tokio::sync::Mutex<()>,
}

impl Exchange {
    async fn has_group(&self, destination: &str, group: &str) -> bool {
        let groups = self.0.groups(destination).await.unwrap_or_default();
        groups.iter().any(|one| &*one.name == group)
    }
}

impl Routed {
    async fn route(&self, message: &Message) -> Result<Receipt> {
        let named = message.properties().destination.as_ref();
        let destination = named.unwrap_or(&self.destination);
        let is_unbound = match self.broker.groups(destination).await {
            Ok(readers) => readers.is_empty(),
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        if is_unbound {
            let text = "no queue is bound; make the group first";
            let error = Error::new(ErrorKind::Rejected, text);
            return Err(error.context("destination", destination));
        }
        let mut results = self.inner.publish(std::slice::from_ref(message)).await;
        results.remove(0)
    }
}

#[async_trait]
impl Producer for Routed {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        let _turn = self.turn.lock().await;
        let mut results = Vec::new();
        for message in messages {
            results.push(self.route(message).await);
        }
        results
    }
}

#[async_trait]
impl Binder for Exchange {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    async fn provision(
        &self,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        self.0.provision(plan, mode).await
    }

    async fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        let mut spec = spec.clone();
        if let (Some(group), Some(first)) = (&spec.group, spec.destinations.first())
            && !self.has_group(first, group).await
        {
            spec.start = Start::Latest;
        }
        self.0.consumer(&spec).await
    }

    async fn producer(&self, spec: &ProducerSpec) -> Result<Arc<dyn Producer>> {
        Ok(Arc::new(Routed {
            inner: self.0.producer(spec).await?,
            broker: self.0.clone(),
            destination: spec.destination.clone(),
            turn: tokio::sync::Mutex::default(),
        }))
    }

    fn health(&self) -> Health {
        self.0.health()
    }

    fn admin(&self) -> &dyn Admin {
        self.0.admin()
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}

mq_testkit::conformance!(exchange, {
    let broker = MemoryForm::Queue
        .builder()
        .build()
        .expect("settings without mistakes");
    Subject::new("exchange", move || {
        let instance = broker.reopened();
        async { Ok(Exchange(instance)) }
    })
});
