//! Neighbours with one output each leave as one run, and become single exits only where something goes wrong.

use super::{
    plan::InputPlan,
    publish::{Exit, Round, Target, as_owner, outlet},
};
use crate::{
    binder::OutputRange,
    error::Error,
    message::Message,
    worker::{Acked, Subject},
};

/// Neighbours with one output each.
#[derive(Debug)]
pub(super) struct Run {
    /// How many exits came before them.
    pub(super) after: usize,
    pub(super) acked: Acked,
}

impl Round {
    /// Adds neighbours with their outputs, one each.
    pub(super) fn push_run(&mut self, plan: &InputPlan, acked: Acked, outputs: OutputRange) {
        let (first, before) = (acked.first().clone(), self.len());
        let mut refused = Vec::new();
        let at_once = first.take_all_outputs(outputs, |output, messages| {
            self.push_all(plan, Target::Output(output), before, messages, &mut refused);
        });
        if !at_once {
            let mut number = before;
            first.take_outputs(outputs, |staged| {
                let (target, mut message) = (Target::Output(staged.output), staged.message);
                match outlet(plan, target).map_or(Ok(()), |outlet| outlet.prepare(&mut message)) {
                    Ok(()) => self.parcel(target).push(as_owner(number), message),
                    Err(error) => refused.push((number, error)),
                }
                number += 1;
            });
        }
        self.in_runs += acked.len();
        let after = self.exits.len();
        self.runs.push(Run { after, acked });
        for (owner, error) in refused {
            self.refuse(owner, error);
        }
    }

    /// Adds messages for one target, each with an exit of its own, which have the numbers from `first` on.
    fn push_all(
        &mut self,
        plan: &InputPlan,
        target: Target,
        first: usize,
        messages: &mut Vec<Message>,
        refused: &mut Vec<(usize, Error)>,
    ) {
        let before = refused.len();
        if let Some(outlet) = outlet(plan, target).filter(|outlet| outlet.has_rules()) {
            for (owner, message) in (first..).zip(messages.iter_mut()) {
                if let Err(error) = outlet.prepare(message) {
                    refused.push((owner, error));
                }
            }
        }
        let parcel = self.parcel(target);
        if refused.len() == before {
            let owners = as_owner(first)..as_owner(first + messages.len());
            parcel.owners.extend(owners);
            if parcel.messages.is_empty() {
                return std::mem::swap(&mut parcel.messages, messages);
            }
            return parcel.messages.append(messages);
        }
        let is_refused = |owner| refused[before..].iter().any(|(other, _)| *other == owner);
        for (owner, message) in (first..).zip(messages.drain(..)) {
            if !is_refused(owner) {
                parcel.push(as_owner(owner), message);
            }
        }
    }

    #[cold]
    pub(super) fn refuse(&mut self, owner: usize, error: Error) {
        self.single_out();
        self.exits[owner].refused = Some(error);
    }

    /// Makes each delivery of a run an exit of its own; the numbers of owners stay right.
    pub(super) fn single_out(&mut self) {
        if self.runs.is_empty() {
            return;
        }
        let mut singles = Vec::with_capacity(self.len());
        let mut exits = std::mem::take(&mut self.exits).into_iter();
        let mut taken = 0;
        for Run { after, acked } in self.runs.drain(..) {
            singles.extend(exits.by_ref().take(after - taken));
            taken = after;
            acked.for_each(|delivery| {
                singles.push(Exit::new(Subject::One(delivery.clone()), None));
            });
        }
        singles.extend(exits);
        self.exits = singles;
        self.in_runs = 0;
    }

    /// Takes out the runs of a round that was published as a whole.
    pub(super) fn take_runs(&mut self, mut each: impl FnMut(Acked)) {
        self.runs.drain(..).for_each(|run| each(run.acked));
        self.in_runs = 0;
    }
}
