//! Mistakes of producers.

use super::prelude::*;

/// Tells success where a message may come through when it is published again.
#[derive(Debug)]
pub(crate) struct AcknowledgesBeforeConfirm;

#[async_trait]
impl Flaw for AcknowledgesBeforeConfirm {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let forgive = |result: Result<Receipt>| match result {
            Err(error) if error.is_temporary() => Ok(Receipt::default()),
            other => other,
        };
        real.publish(messages)
            .await
            .into_iter()
            .map(forgive)
            .collect()
    }
}

/// Tells success where a dead letter could not be published.
#[derive(Debug)]
pub(crate) struct SwallowsFailedDeadLetters;

#[async_trait]
impl Flaw for SwallowsFailedDeadLetters {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let results = real.publish(messages).await.into_iter();
        let forgive = |(result, message): (Result<_>, &Message)| {
            let to = message.properties().destination.as_deref();
            match result {
                Err(_) if to.is_some_and(|to| to.ends_with(".dlq")) => Ok(Receipt::default()),
                other => other,
            }
        };
        results.zip(messages).map(forgive).collect()
    }
}

/// Loses every fifth message, and says that it is stored.
#[derive(Debug, Default)]
pub(crate) struct LosesSome(AtomicUsize);

#[async_trait]
impl Flaw for LosesSome {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let mut results = Vec::new();
        for message in messages {
            if self.0.fetch_add(1, Ordering::Relaxed) % 5 == 4 {
                results.push(Ok(Receipt::default()));
            } else {
                results.extend(real.publish(std::slice::from_ref(message)).await);
            }
        }
        results
    }
}

/// Gives the results in another order than the messages.
#[derive(Debug)]
pub(crate) struct MixesResults;

#[async_trait]
impl Flaw for MixesResults {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let mut results = real.publish(messages).await;
        results.reverse();
        results
    }
}

/// Stores the messages of a call from the last to the first.
#[derive(Debug)]
pub(crate) struct StoresBackwards;

#[async_trait]
impl Flaw for StoresBackwards {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let backwards: Vec<_> = messages.iter().rev().cloned().collect();
        let mut results = real.publish(&backwards).await;
        results.reverse();
        results
    }
}

/// Publishes to the producer's destination whatever a message says.
#[derive(Debug)]
pub(crate) struct IgnoresDestinations;

#[async_trait]
impl Flaw for IgnoresDestinations {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let mut messages = messages.to_vec();
        for message in &mut messages {
            if message.properties().destination.is_some() {
                message.properties_mut().destination = None;
            }
        }
        real.publish(&messages).await
    }
}

/// Every receipt names the beginning of the destination.
#[derive(Debug)]
pub(crate) struct PointsToTheBeginning;

#[async_trait]
impl Flaw for PointsToTheBeginning {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let mut results = real.publish(messages).await;
        for receipt in results.iter_mut().flatten() {
            receipt.position = Some(0);
        }
        results
    }
}

/// Declares a limit and does not look at it.
#[derive(Debug)]
pub(crate) struct TakesWhatIsTooLarge;

impl Flaw for TakesWhatIsTooLarge {
    fn capabilities(&self, real: Capabilities) -> Capabilities {
        real.max_message(1 << 20)
    }
}

/// Goes on with a key behind a message that failed.
#[derive(Debug)]
pub(crate) struct GoesOnBehindAFailure;

#[async_trait]
impl Flaw for GoesOnBehindAFailure {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let mut results = Vec::new();
        for message in messages {
            results.extend(real.publish(std::slice::from_ref(message)).await);
        }
        results
    }
}

/// Deals messages out to the partitions, keys or not.
#[derive(Debug, Default)]
pub(crate) struct DealsOutKeys(AtomicUsize);

#[async_trait]
impl Flaw for DealsOutKeys {
    async fn publish(
        &self,
        binder: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let known = binder.admin().destinations().await.unwrap_or_default();
        // One case has one destination with several partitions.
        let partitions = known.iter().map(|one| one.partitions).max().unwrap_or(1);
        let mut messages = messages.to_vec();
        for message in &mut messages {
            let is_free = message.properties().partition.is_none()
                && message.properties().destination.is_none();
            if partitions > 1 && is_free && message.as_key().is_some() {
                let next = self.0.fetch_add(1, Ordering::Relaxed) % 7;
                let next = u32::try_from(next).unwrap_or_default() % partitions;
                message.properties_mut().partition = Some(next);
            }
        }
        real.publish(&messages).await
    }
}

/// Says nothing about what it did not send.
#[derive(Debug)]
pub(crate) struct LeavesOutFailures;

#[async_trait]
impl Flaw for LeavesOutFailures {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let mut results = real.publish(messages).await;
        if results.len() > 1 {
            results.retain(Result::is_ok);
        }
        results
    }
}

/// Fails a call as a whole.
#[derive(Debug)]
pub(crate) struct FailsTogether;

#[async_trait]
impl Flaw for FailsTogether {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let mut results = real.publish(messages).await;
        if messages.len() > 1 && results.iter().any(Result::is_err) {
            let failed = || Error::new(ErrorKind::Unavailable, "the batch failed").temporary();
            results = messages.iter().map(|_| Err(failed())).collect();
        }
        results
    }
}

/// Takes every error for a final one.
#[derive(Debug)]
pub(crate) struct GivesUp;

#[async_trait]
impl Flaw for GivesUp {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let harden = |result: Result<Receipt>| {
            result.map_err(|error| Error::new(error.kind(), error.message().to_owned()))
        };
        real.publish(messages)
            .await
            .into_iter()
            .map(harden)
            .collect()
    }
}

/// Publishes again by itself what was not confirmed.
#[derive(Debug)]
pub(crate) struct Retries;

#[async_trait]
impl Flaw for Retries {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let results = real.publish(messages).await;
        if results.iter().any(Result::is_err) {
            return real.publish(messages).await;
        }
        results
    }
}

/// Stores each call twice.
#[derive(Debug)]
pub(crate) struct StoresTwice;

#[async_trait]
impl Flaw for StoresTwice {
    async fn publish(
        &self,
        _: &dyn Binder,
        real: &dyn Producer,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        drop(real.publish(messages).await);
        real.publish(messages).await
    }
}
