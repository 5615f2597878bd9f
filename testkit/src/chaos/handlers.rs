//! The processor and the sink, as a user would write them.

use std::collections::HashSet;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use mq::error::Result;
use mq::extract::BatchItem;
use mq::idempotency::{KeySource, Scope};
use mq::outcome::Decision;
use mq::prelude::*;

use super::ledger::Desk;
use super::plan::{Call, Fate, Mood, Plan, Stage, Work};
use super::positions::Positions;
use crate::history::{Entry, Log, Place};

/// The header that names a message through all stages.
pub(super) const NAME: &str = "chaos-name";

/// What a stage handles messages with.
#[derive(Debug, Clone)]
pub(super) struct Desks {
    pub(super) plan: Arc<Plan>,
    /// Whether handlers fail more often than usual.
    pub(super) burst: Arc<AtomicBool>,
    pub(super) log: Arc<Log>,
    /// Calls so far.
    pub(super) calls: Arc<AtomicU64>,
}

/// What the processor is made of.
#[derive(Debug, Clone)]
pub(super) struct Processing(pub(super) Desks);

/// What the sink is made of.
#[derive(Debug, Clone)]
pub(super) struct Settling(pub(super) Desks, pub(super) Effects);

/// Where the sink's effects go.
#[derive(Debug, Clone)]
pub(super) enum Effects {
    /// Straight into the log.
    Plain,
    /// Into the log with the claim of this key.
    Claimed(Desk, KeySource),
    /// Into the log with the position.
    Placed(Arc<Positions>),
}

impl Desks {
    fn see(&self, work: Work) -> Result<()> {
        self.log.append(Entry::seen(work.id()))
    }

    fn mood(&self, stage: Stage, work: Work, attempt: u32) -> Mood {
        let call = Call {
            number: self.calls.fetch_add(1, Relaxed),
            is_burst: self.burst.load(Relaxed),
        };
        self.plan.mood(stage, work, attempt, call)
    }
}

/// Copies each message to the output, after some trouble.
pub(super) async fn process(
    Json(work): Json<Work>,
    delivery: Delivery,
    State(Processing(desks)): State<Processing>,
) -> Result<Message, Failure> {
    desks.process(work, &delivery).await
}

/// The same for many messages at once.
pub(super) async fn process_batch(
    batch: Batch<Json<Work>>,
    State(Processing(desks)): State<Processing>,
) -> Outcomes {
    let mut results = Vec::with_capacity(batch.len());
    let mut failed = FailedKeys::default();
    for BatchItem { payload, delivery } in &batch {
        let result = async { desks.process(payload.0, &delivery).await };
        results.push(failed.unless(&delivery, result).await);
    }
    batch.outcomes(results)
}

/// Has its effect, after some trouble or before it.
pub(super) async fn settle(
    Json(work): Json<Work>,
    delivery: Delivery,
    State(sink): State<Settling>,
) -> Result<(), Failure> {
    sink.settle(work, &delivery).await
}

/// The same for many messages at once.
pub(super) async fn settle_batch(
    batch: Batch<Json<Work>>,
    State(sink): State<Settling>,
) -> Outcomes {
    let mut results = Vec::with_capacity(batch.len());
    let mut failed = FailedKeys::default();
    for BatchItem { payload, delivery } in &batch {
        let result = async { sink.settle(payload.0, &delivery).await };
        results.push(failed.unless(&delivery, result).await);
    }
    batch.outcomes(results)
}

/// Keys of which a message has failed: what comes after it in the same batch must not have its effect before it.
#[derive(Debug, Default)]
struct FailedKeys(HashSet<Bytes>);

impl FailedKeys {
    async fn unless<T>(
        &mut self,
        delivery: &Delivery,
        result: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let key = delivery.message().as_key().cloned().unwrap_or_default();
        if self.0.contains(&key) {
            return Err(Failure::retry("an earlier message of the key has failed"));
        }
        let result = result.await;
        if let Err(failure) = &result
            && failure.decision() != Decision::DeadLetter
        {
            self.0.insert(key);
        }
        result
    }
}

impl Desks {
    async fn process(&self, work: Work, delivery: &Delivery) -> Result<Message, Failure> {
        self.see(work)?;
        let mood = self.mood(Stage::Processor, work, delivery.attempt());
        act(mood).await?;
        if self.plan.fate(work.number) == Fate::Letter(Stage::Processor) {
            return Err(Failure::dead_letter("the processor wants none of it"));
        }
        let key = delivery.message().as_key().cloned();
        let payload = serde_json::to_vec(&work)?;
        let message = Message::new(payload).header(NAME, work.name());
        Ok(message.key(key.unwrap_or_default()))
    }
}

impl Settling {
    async fn settle(&self, work: Work, delivery: &Delivery) -> Result<(), Failure> {
        let Self(desks, effects) = self;
        desks.see(work)?;
        let attempt = delivery.attempt();
        let mood = desks.mood(Stage::Sink, work, attempt);
        let is_late = desks.plan.is_late(work, attempt);
        if !is_late {
            act(mood).await?;
        }
        if desks.plan.fate(work.number) == Fate::Letter(Stage::Sink) {
            return Err(Failure::dead_letter("the sink wants none of it"));
        }
        effects.land(&desks.log, work, delivery)?;
        if is_late {
            act(mood).await?;
        }
        Ok(())
    }
}

/// A dead letter that was meant to be one has its effect here; any other has none, and so is lost.
pub(super) async fn read_letter(
    Json(work): Json<Work>,
    delivery: Delivery,
    State(Settling(desks, effects)): State<Settling>,
) -> Result<(), Failure> {
    match desks.plan.fate(work.number) {
        Fate::Letter(_) => Ok(effects.land(&desks.log, work, &delivery)?),
        Fate::Effect => Ok(()),
    }
}

impl Effects {
    fn land(&self, log: &Log, work: Work, delivery: &Delivery) -> Result<()> {
        let effect = Entry::effect(work.id());
        match self {
            Self::Plain => log.append(effect),
            Self::Placed(positions) => positions.apply(place(delivery), effect, log),
            Self::Claimed(desk, source) => {
                let listener = if is_letter(delivery) { LETTERS } else { DONE };
                let scope = Scope::new(super::settings::GROUP, listener)?;
                match source.read(delivery) {
                    Some(key) => desk.stage(&scope, &key, effect),
                    None => log.append(effect),
                }
            }
        }
    }
}

/// The bindings, which are the names of their listeners too.
pub(super) const WORK: &str = "work";
pub(super) const DONE: &str = "done";
pub(super) const LETTERS: &str = "letters";

fn is_letter(delivery: &Delivery) -> bool {
    delivery.destination().ends_with(".dlq")
}

/// The partition's number tells destinations apart too.
fn place(delivery: &Delivery) -> Place {
    let letter = u32::from(is_letter(delivery)) << 31;
    Place {
        partition: delivery.partition() | letter,
        position: delivery.record().position,
    }
}

async fn act(mood: Mood) -> Result<(), Failure> {
    match mood {
        Mood::Good => Ok(()),
        Mood::Yields => {
            tokio::task::yield_now().await;
            Ok(())
        }
        Mood::Dawdles(time) => {
            tokio::time::sleep(time).await;
            Ok(())
        }
        Mood::Fails => Err(Failure::retry("now and then it fails")),
        Mood::RetriesAfter(time) => Err(Failure::retry_after(time, "not yet")),
        Mood::Defers(time) => Err(Failure::defer(time, "overloaded")),
        // Past the hook that would print it.
        Mood::Panics => resume_unwind(Box::new("a panic that was ordered")),
        Mood::Hangs => std::future::pending().await,
    }
}
