//! After the handler: outputs confirmed, then claims permanent, then settled. Three steps, each one call at a time.

use std::{
    mem::{replace, take},
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    plan::InputPlan,
    publish::{Exit, Round, publish_round},
    stage::Stage,
};
use crate::{
    binder::{OutputRange, SettleError, Settlement, Settler, Unsettled},
    error::{Error, Result},
    idempotency::{Claim, ClaimResult},
    worker::Acked,
};

/// At most this many settlements wait for the broker before intake stops.
const SETTLING: usize = 8_192;
/// At most this many exits wait for confirmation before intake stops.
const PUBLISHING: usize = 16_384;

/// Exits whose claims were completed, the claims, and what came of it.
type Completed = (Vec<Exit>, Vec<Claim>, Result<Vec<ClaimResult>>);

/// What has left.
#[derive(Debug, Default)]
pub(super) struct Out {
    /// Published, or refused for good.
    pub(super) exits: Vec<Exit>,
    /// Published.
    pub(super) runs: Vec<Acked>,
}

/// The steps after the handler.
#[derive(Debug)]
pub(super) struct Finish {
    plan: Arc<InputPlan>,
    publishing: Round,
    spare: Round,
    publish: Stage<(Round, Option<Error>)>,
    completing: Vec<Exit>,
    complete: Stage<Completed>,
    releasing: Vec<Claim>,
    release: Stage<()>,
    settling: Vec<Settlement>,
    settle: Stage<(Vec<Settlement>, Result<Vec<Unsettled>>)>,
    is_lost: bool,
    problem: Option<String>,
}

impl Finish {
    pub(super) fn new(plan: Arc<InputPlan>) -> Self {
        Self {
            plan,
            publishing: Round::default(),
            spare: Round::default(),
            publish: Stage::new(),
            completing: Vec::new(),
            complete: Stage::new(),
            releasing: Vec::new(),
            release: Stage::new(),
            settling: Vec::new(),
            settle: Stage::new(),
            is_lost: false,
            problem: None,
        }
    }

    /// Takes a message that has nothing to publish and nothing to complete.
    pub(super) fn settle(&mut self, settlement: Settlement) {
        self.settling.push(settlement);
    }

    /// Takes messages that have nothing to publish and nothing to complete.
    pub(super) fn settle_all(&mut self, settlements: impl Iterator<Item = Settlement>) {
        self.settling.extend(settlements);
    }

    /// Takes a message on its way out; what it publishes is added to the round that is returned.
    pub(super) fn exit(&mut self, exit: Exit) -> &mut Round {
        self.publishing.push(exit);
        &mut self.publishing
    }

    /// Takes neighbours on their way out, with one output each.
    pub(super) fn leave(&mut self, run: Acked, outputs: OutputRange) {
        self.publishing.push_run(&self.plan, run, outputs);
    }

    /// Takes an exit whose claim is to become permanent.
    pub(super) fn complete(&mut self, exit: Exit) {
        self.completing.push(exit);
    }

    /// A claim whose handling is not to count.
    pub(super) fn release(&mut self, claim: Claim) {
        self.releasing.push(claim);
    }

    /// The round that is being filled.
    pub(super) fn round(&mut self) -> &mut Round {
        &mut self.publishing
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    pub(super) fn set_problem(&mut self, problem: Option<String>) {
        self.problem = problem;
    }

    /// The subscription is gone: settlements are tried once and no more.
    pub(super) fn lost(&mut self) {
        self.is_lost = true;
    }

    /// Why publishing or settling does not get on, where it does not.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    pub(super) fn has_room(&self) -> bool {
        self.settling.len() < SETTLING && self.publishing.len() < PUBLISHING
    }

    pub(super) fn is_idle(&self) -> bool {
        let is_published = self.publishing.is_empty() && !self.publish.is_running();
        let is_complete = self.completing.is_empty() && !self.complete.is_running();
        is_published
            && is_complete
            && self.releasing.is_empty()
            && !self.release.is_running()
            && self.settling.is_empty()
            && !self.settle.is_running()
    }

    /// Gets on with outputs and claims; what is confirmed, or refused for good, goes into `out`.
    pub(super) fn poll_exits(&mut self, cx: &mut Context<'_>, out: &mut Out) {
        self.poll_publish(cx, out);
        self.poll_claims(cx, &mut out.exits);
    }

    /// Gets on with claims alone: outputs go another way.
    pub(super) fn poll_claims(&mut self, cx: &mut Context<'_>, out: &mut Vec<Exit>) {
        self.poll_complete(cx, out);
        self.poll_release(cx);
    }

    fn poll_release(&mut self, cx: &mut Context<'_>) {
        loop {
            if self.release.poll_free(cx) && !self.releasing.is_empty() {
                let (claims, layer) = (
                    take(&mut self.releasing),
                    self.plan.build.stack.idempotency.clone(),
                );
                self.release.start(async move {
                    if let Some(layer) = layer {
                        layer.release(&claims).await;
                    }
                });
            }
            if self.release.poll(cx).is_pending() {
                return;
            }
        }
    }

    fn poll_publish(&mut self, cx: &mut Context<'_>, out: &mut Out) {
        loop {
            if self.publish.poll_free(cx) && !self.publishing.is_empty() {
                let round = replace(&mut self.publishing, take(&mut self.spare));
                self.publish.start(publish_round(self.plan.clone(), round));
            }
            let Poll::Ready((round, error)) = self.publish.poll(cx) else {
                return;
            };
            self.published(round, error, out);
        }
    }

    /// Keeps order: what failed goes first in the next round, and nothing overtakes it.
    fn published(&mut self, mut round: Round, error: Option<Error>, out: &mut Out) {
        let completing = &mut self.completing;
        round.take_runs(|run| out.runs.push(run));
        round.take_finished(|exit| {
            let is_claimed = exit.claim.is_some() && exit.refused.is_none();
            if is_claimed {
                completing.push(exit);
            } else {
                out.exits.push(exit);
            }
        });
        if round.is_empty() {
            self.spare = round;
        } else {
            round.append(&mut self.publishing);
            self.publishing = round;
        }
        match error {
            None => {
                self.publish.succeeded();
                self.problem = None;
            }
            Some(error) => {
                let wait = self.publish.failed();
                self.trouble("cannot publish", &error, wait, self.publish.failures());
            }
        }
    }

    fn poll_complete(&mut self, cx: &mut Context<'_>, out: &mut Vec<Exit>) {
        loop {
            if self.complete.poll_free(cx) && !self.completing.is_empty() {
                self.start_complete();
            }
            let Poll::Ready((exits, claims, result)) = self.complete.poll(cx) else {
                return;
            };
            match result {
                Ok(kept) => {
                    self.complete.succeeded();
                    self.note_taken_over(&kept);
                    out.extend(exits.into_iter().filter(|exit| !exit.is_settled));
                }
                Err(error) => self.not_completed(exits, claims, &error),
            }
        }
    }

    fn start_complete(&mut self) {
        let mut exits = take(&mut self.completing);
        let claims: Vec<Claim> = exits
            .iter_mut()
            .filter_map(|exit| exit.claim.take())
            .map(|claim| *claim)
            .collect();
        let layer = self.plan.build.stack.idempotency.clone();
        self.complete.start(async move {
            let result = match &layer {
                None => Ok(Vec::new()),
                Some(layer) => {
                    let options = layer.options();
                    options
                        .store
                        .complete(&options.scope, &claims, options.window)
                        .await
                }
            };
            (exits, claims, result)
        });
    }

    fn note_taken_over(&self, kept: &[ClaimResult]) {
        let taken_over = kept
            .iter()
            .filter(|kept| **kept == ClaimResult::Lost)
            .count();
        if taken_over > 0 {
            tracing::warn!(
                binding = &*self.plan.name,
                taken_over,
                "claims were taken over before they became permanent"
            );
        }
    }

    fn not_completed(&mut self, mut exits: Vec<Exit>, claims: Vec<Claim>, error: &Error) {
        for (exit, claim) in exits.iter_mut().zip(claims) {
            exit.claim = Some(Box::new(claim));
        }
        exits.append(&mut self.completing);
        self.completing = exits;
        let wait = self.complete.failed();
        self.trouble(
            "cannot complete claims",
            error,
            wait,
            self.complete.failures(),
        );
    }

    /// Gets on with the settlements.
    pub(super) fn poll_settle(&mut self, cx: &mut Context<'_>, settler: &Arc<dyn Settler>) {
        loop {
            if self.settle.poll_free(cx) && !self.settling.is_empty() {
                let (round, settler) = (take(&mut self.settling), settler.clone());
                self.settle.start(async move {
                    let result = settler.settle(&round).await;
                    (round, result)
                });
            }
            let Poll::Ready((round, result)) = self.settle.poll(cx) else {
                return;
            };
            self.settled(round, result);
        }
    }

    fn settled(&mut self, mut round: Vec<Settlement>, result: Result<Vec<Unsettled>>) {
        match result {
            Ok(unsettled) if unsettled.is_empty() => {
                self.settle.succeeded();
                // The storage goes round: nothing is allocated for the next settlements.
                if self.settling.is_empty() {
                    round.clear();
                    self.settling = round;
                }
            }
            Ok(unsettled) => self.unsettled(&round, unsettled),
            Err(error) => self.not_settled(round, &error),
        }
    }

    fn unsettled(&mut self, round: &[Settlement], unsettled: Vec<Unsettled>) {
        let mut again = Vec::new();
        for Unsettled { index, error } in unsettled {
            match error {
                SettleError::Failed(error) if error.is_temporary() && !self.is_lost => {
                    again.push((index, error));
                }
                SettleError::Lost => self.plan.metrics().lost.increment(),
                SettleError::Failed(error) => {
                    self.plan.metrics().lost.increment();
                    tracing::error!(binding = &*self.plan.name, error = %error.chain(), "the broker refused a settlement");
                }
            }
        }
        let Some((_, error)) = again.first() else {
            return self.settle.succeeded();
        };
        let wait = self.settle.failed();
        self.trouble("cannot settle", error, wait, self.settle.failures());
        self.settling.splice(
            ..0,
            again
                .into_iter()
                .filter_map(|(index, _)| round.get(index).cloned()),
        );
    }

    fn not_settled(&mut self, round: Vec<Settlement>, error: &Error) {
        if self.is_lost || !error.is_temporary() {
            self.plan.metrics().lost.add(round.len() as u64);
            return;
        }
        self.settling.splice(..0, round);
        let wait = self.settle.failed();
        self.trouble("cannot settle", error, wait, self.settle.failures());
    }

    fn trouble(&mut self, what: &str, error: &Error, wait: std::time::Duration, failures: u32) {
        self.problem = Some(format!("{what}: {}", error.chain()));
        if failures == 1 || failures.is_power_of_two() {
            tracing::warn!(binding = &*self.plan.name, error = %error.chain(), ?wait, failures, "{what}; it is tried again");
        }
    }
}
