//! Exactly once inside the broker: the outputs of a round and the settlements of its inputs are one step.

use std::{
    mem::{replace, take},
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    engine::Engine,
    judge::settlement_of,
    plan::InputPlan,
    publish::{Exit, Round},
    stage::Stage,
};
use crate::{
    binder::{Action, Record, Settlement, Transaction},
    error::{Error, ErrorKind, Result},
};

/// A round on its way, with the transaction that carries it.
type Under = (Box<dyn Transaction>, Step, Result<()>);

/// A round with its settlements.
#[derive(Debug)]
struct Step {
    round: Round,
    settlements: Vec<Settlement>,
    /// It was handed to the broker, and it is not known whether it took effect: repeating the commit finds out.
    is_uncertain: bool,
}

/// Carries rounds in transactions, one at a time.
#[derive(Debug)]
pub(super) struct Transact {
    stage: Stage<Under>,
    transaction: Option<Box<dyn Transaction>>,
    /// A step that has failed and is carried again, before anything else.
    again: Option<Step>,
    /// The storage of the last step, for one to come.
    spare: Round,
}

impl std::fmt::Debug for dyn Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transaction")
    }
}

impl Transact {
    pub(super) fn new(transaction: Box<dyn Transaction>) -> Self {
        Self {
            stage: Stage::new(),
            transaction: Some(transaction),
            again: None,
            spare: Round::default(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.stage.is_running() && self.again.is_none()
    }

    fn start(&mut self, plan: &Arc<InputPlan>, mut step: Step) {
        let Some(mut transaction) = self.transaction.take() else {
            return;
        };
        let plan = plan.clone();
        self.stage.start(async move {
            let result = carry(&mut *transaction, &plan, &mut step).await;
            (transaction, step, result)
        });
    }
}

/// The subscription has to be made anew.
fn lost() -> Error {
    Error::new(
        ErrorKind::Lost,
        "a part of a batch is somebody else's by now",
    )
    .temporary()
}

/// One step; aborted if it fails, unless it is not known whether it has taken effect.
async fn carry(transaction: &mut dyn Transaction, plan: &InputPlan, step: &mut Step) -> Result<()> {
    if !step.is_uncertain {
        let filled = async {
            for messages in step.round.messages() {
                transaction.publish(messages).await?;
            }
            transaction.settle(&step.settlements).await
        };
        if let Err(error) = filled.await {
            abort(transaction, plan).await;
            return Err(error);
        }
    }
    let committed = transaction.commit().await.map(drop);
    step.is_uncertain = committed.as_ref().is_err_and(Error::is_temporary);
    if committed.is_err() && !step.is_uncertain {
        abort(transaction, plan).await;
    }
    committed
}

async fn abort(transaction: &mut dyn Transaction, plan: &InputPlan) {
    if let Err(error) = transaction.abort().await {
        tracing::debug!(binding = &*plan.name, error = %error.chain(), "cannot abort a transaction; the broker forgets it by itself");
    }
}

impl Engine {
    /// Gets on with transactions, where the binding has them; true if it has.
    pub(super) fn poll_transactions(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(mut transact) = self.transact.take() else {
            return false;
        };
        let mut committed = Vec::new();
        loop {
            if transact.stage.poll_free(cx) {
                self.begin_round(&mut transact);
            }
            let Poll::Ready((transaction, step, result)) = transact.stage.poll(cx) else {
                break;
            };
            transact.transaction = Some(transaction);
            match result {
                Ok(()) => {
                    transact.stage.succeeded();
                    self.finish.set_problem(None);
                    committed.push(step.round);
                }
                Err(error) => self.not_carried(&mut transact, step, error),
            }
        }
        // The next step is on its way meanwhile.
        for mut round in committed {
            self.committed(&mut round);
            transact.spare = round;
        }
        self.transact = Some(transact);
        true
    }

    fn begin_round(&mut self, transact: &mut Transact) {
        if self.broken.is_some() {
            // What a lost step would have settled counts as settled here: nothing more must be committed.
            return;
        }
        if let Some(step) = transact.again.take() {
            return transact.start(&self.plan, step);
        }
        self.take_refused();
        self.take_gone();
        let mut round = replace(self.finish.round(), take(&mut transact.spare));
        round.address(&self.plan);
        let settlements = self.settlements_of(&round);
        if round.is_empty() && settlements.is_empty() {
            transact.spare = round;
            return;
        }
        let step = Step {
            round,
            settlements,
            is_uncertain: false,
        };
        transact.start(&self.plan, step);
    }

    /// Exits whose output can never be published are sorted out before the round begins.
    fn take_refused(&mut self) {
        let mut refused = Vec::new();
        self.finish.round().take_refused(|exit| refused.push(exit));
        refused.into_iter().for_each(|exit| self.conclude(exit));
    }

    /// Outputs of messages whose lane is somebody else's by now: no settlement would keep them from taking effect twice.
    fn take_gone(&mut self) {
        let Some(positions) = &self.positions else {
            return;
        };
        let is_current = |record: &Record| positions.is_current(record);
        let mut gone = Vec::new();
        self.finish.round().take_gone(is_current, |exit| {
            let is_in_part = exit.records().any(is_current);
            gone.push((is_in_part, exit));
        });
        for (is_in_part, exit) in gone {
            // The rest of a batch is ours still, and will not arrive again by itself.
            if is_in_part {
                self.broken.get_or_insert_with(lost);
            }
            self.metrics_lost(&exit);
            self.drop_exit(exit);
        }
    }

    fn metrics_lost(&self, exit: &Exit) {
        self.plan.metrics().lost.add(exit.deliveries().len() as u64);
    }

    /// Nothing of it takes effect; the broker delivers it again.
    fn drop_exit(&mut self, exit: Exit) {
        exit.deliveries()
            .iter()
            .for_each(|delivery| self.abandon(delivery.clone()));
        exit.claim
            .into_iter()
            .for_each(|claim| self.finish.release(*claim));
    }

    /// What the broker is told of the inputs of a round: single settlements, or commits of their lanes.
    fn settlements_of(&mut self, round: &Round) -> Vec<Settlement> {
        let exits = round.exits.iter().flat_map(Exit::records);
        let runs = round.runs.iter().map(|run| run.acked.records());
        let settled = |record| settlement_of(record, Action::Ack);
        match &mut self.positions {
            None => exits.chain(runs.flatten()).map(settled).collect(),
            Some(positions) => {
                exits.for_each(|record| positions.settle(&settled(record)));
                runs.for_each(|records| positions.settle_all(records));
                positions.commits()
            }
        }
    }

    fn not_carried(&mut self, transact: &mut Transact, mut step: Step, error: Error) {
        let round = &mut step.round;
        if error.kind() == ErrorKind::Lost || self.finish.is_lost() {
            round.take_finished(|exit| {
                self.metrics_lost(&exit);
                self.drop_exit(exit);
            });
            // Some of it may be ours still, and would not arrive again by itself.
            self.broken.get_or_insert(error);
        } else if error.is_temporary() {
            transact.stage.failed();
            self.finish
                .set_problem(Some(format!("cannot commit: {}", error.chain())));
            transact.again = Some(step);
        } else {
            self.cannot_commit(round, &error);
        }
    }

    /// Outputs and settlements have taken effect.
    fn committed(&mut self, round: &mut Round) {
        round.take_runs(|run| self.forget_run(&run));
        round.take_finished(|exit| self.has_left(exit));
    }

    /// A claim becomes permanent only now, because a step that fails is handled again.
    fn has_left(&mut self, mut exit: Exit) {
        if exit.is_dead_letter {
            self.plan.metrics().dead_letters.increment();
        }
        exit.deliveries()
            .iter()
            .for_each(|delivery| self.forget(delivery));
        if exit.claim.is_some() {
            exit.is_settled = true;
            self.finish.complete(exit);
        }
    }

    fn cannot_commit(&mut self, round: &mut Round, error: &Error) {
        let text = format!("a transaction cannot be committed: {}", error.chain());
        tracing::error!(
            binding = &*self.plan.name,
            "binding stops and leaves its input unsettled: {text}"
        );
        self.stopping.get_or_insert(text);
        let exits = &mut Vec::new();
        round.take_finished(|exit| exits.push(exit));
        take(exits)
            .iter()
            .flat_map(Exit::deliveries)
            .for_each(|delivery| self.abandon(delivery.clone()));
    }
}
