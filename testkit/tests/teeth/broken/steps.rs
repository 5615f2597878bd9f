//! Mistakes of transactions.

use mq_core::binder::{ProducerSpec, Receipts};

use super::prelude::*;

/// Settles at once what is to be settled with the commit.
#[derive(Debug)]
pub(crate) struct SettlesBeforeTheCommit;

#[async_trait]
impl Flaw for SettlesBeforeTheCommit {
    async fn add_settlements(&self, real: &mut Step, all: &[Settlement]) -> Result<()> {
        real.settler.settle(all).await.map(drop)
    }
}

/// Settles the inputs though the outputs were refused.
#[derive(Debug, Default)]
pub(crate) struct SettlesThoughRefused(Mutex<Vec<Settlement>>);

#[async_trait]
impl Flaw for SettlesThoughRefused {
    async fn add_settlements(&self, real: &mut Step, all: &[Settlement]) -> Result<()> {
        *locked(&self.0) = all.to_vec();
        real.step.settle(all).await
    }

    async fn commit(&self, real: &mut Step) -> Result<Receipts> {
        let receipts = real.step.commit().await;
        let all = std::mem::take(&mut *locked(&self.0));
        if receipts.is_err() {
            drop(real.settler.settle(&all).await);
        }
        receipts
    }
}

/// Publishes at once what is to be seen after the commit.
#[derive(Debug, Default)]
pub(crate) struct PublishesBeforeTheCommit(Mutex<Receipts>);

#[async_trait]
impl Flaw for PublishesBeforeTheCommit {
    async fn add_outputs(&self, real: &mut Step, messages: &[Message]) -> Result<()> {
        // Without a destination it is refused as it should be.
        if messages
            .iter()
            .any(|one| one.properties().destination.is_none())
        {
            return real.step.publish(messages).await;
        }
        let producer = real.binder.producer(&ProducerSpec::new("nowhere")).await?;
        for result in producer.publish(messages).await {
            let receipt = result?;
            locked(&self.0).push(receipt);
        }
        Ok(())
    }

    async fn commit(&self, real: &mut Step) -> Result<Receipts> {
        let mut receipts = std::mem::take(&mut *locked(&self.0));
        receipts.extend(real.step.commit().await?);
        Ok(receipts)
    }
}

/// Commits what is to be forgotten.
#[derive(Debug)]
pub(crate) struct PublishesOnAbort;

#[async_trait]
impl Flaw for PublishesOnAbort {
    async fn abort(&self, real: &mut Step) -> Result<()> {
        if real.step.commit().await.is_err() {
            real.step.abort().await?;
        }
        Ok(())
    }
}

/// Says that the step took effect though somebody else has the lane.
#[derive(Debug)]
pub(crate) struct HidesTheFence;

#[async_trait]
impl Flaw for HidesTheFence {
    async fn commit(&self, real: &mut Step) -> Result<Receipts> {
        match real.step.commit().await {
            Err(error) if error.kind() == ErrorKind::Lost => Ok(Receipts::new()),
            other => other,
        }
    }
}

/// Does a step again of which it is not known whether it took effect.
#[derive(Debug, Default)]
pub(crate) struct AppliesTwice(Mutex<Vec<Message>>);

#[async_trait]
impl Flaw for AppliesTwice {
    async fn add_outputs(&self, real: &mut Step, messages: &[Message]) -> Result<()> {
        locked(&self.0).extend_from_slice(messages);
        real.step.publish(messages).await
    }

    async fn commit(&self, real: &mut Step) -> Result<Receipts> {
        let result = real.step.commit().await;
        let outputs = std::mem::take(&mut *locked(&self.0));
        if result.as_ref().is_err_and(Error::is_temporary) {
            real.step.commit().await?;
            real.step.publish(&outputs).await?;
        }
        result
    }

    async fn abort(&self, real: &mut Step) -> Result<()> {
        locked(&self.0).clear();
        real.step.abort().await
    }
}

/// Commits outputs and forgets the settlements.
#[derive(Debug)]
pub(crate) struct ForgetsTheInputs;

#[async_trait]
impl Flaw for ForgetsTheInputs {
    async fn add_settlements(&self, _: &mut Step, _: &[Settlement]) -> Result<()> {
        Ok(())
    }
}

/// Keeps what was aborted for the next commit.
#[derive(Debug)]
pub(crate) struct KeepsWhatWasAborted;

#[async_trait]
impl Flaw for KeepsWhatWasAborted {
    async fn abort(&self, _: &mut Step) -> Result<()> {
        Ok(())
    }
}

/// Publishes what it cannot commit.
#[derive(Debug, Default)]
pub(crate) struct PublishesThoughFenced(Mutex<Vec<Message>>);

#[async_trait]
impl Flaw for PublishesThoughFenced {
    async fn add_outputs(&self, real: &mut Step, messages: &[Message]) -> Result<()> {
        locked(&self.0).extend_from_slice(messages);
        real.step.publish(messages).await
    }

    async fn commit(&self, real: &mut Step) -> Result<Receipts> {
        let result = real.step.commit().await;
        let outputs = std::mem::take(&mut *locked(&self.0));
        if matches!(&result, Err(error) if error.kind() == ErrorKind::Lost) {
            let producer = real.binder.producer(&ProducerSpec::new("nowhere")).await?;
            drop(producer.publish(&outputs).await);
        }
        result
    }

    async fn abort(&self, real: &mut Step) -> Result<()> {
        locked(&self.0).clear();
        real.step.abort().await
    }
}
