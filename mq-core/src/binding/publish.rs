//! Outputs on their way: published in order, one round after the other; what failed is published again, not handled again.

use std::sync::Arc;

use super::{plan::InputPlan, runs::Run};
use crate::{
    binder::{Delivery, OutputIndex, Record},
    error::{Error, ErrorKind, Result},
    idempotency::Claim,
    message::Message,
    output::Outlet,
    worker::Subject,
};

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// An output of the listener.
    Output(OutputIndex),
    /// A destination that the message names: dead letters and delayed copies.
    Letter,
}

/// A message or batch on its way out: outputs first, then the claim, then the settlement.
#[derive(Debug)]
pub(super) struct Exit {
    pub(super) subject: Subject,
    pub(super) claim: Option<Box<Claim>>,
    /// An output that can never be published.
    pub(super) refused: Option<Error>,
    /// Counted once it is confirmed.
    pub(super) is_dead_letter: bool,
    /// Its input was settled together with its outputs: only the claim is left.
    pub(super) is_settled: bool,
    /// Some of its outputs are to be published again.
    again: bool,
}

impl Exit {
    pub(super) fn new(subject: Subject, claim: Option<Box<Claim>>) -> Self {
        Self {
            subject,
            claim,
            refused: None,
            is_dead_letter: false,
            is_settled: false,
            again: false,
        }
    }

    pub(super) fn deliveries(&self) -> &[Delivery] {
        self.subject.deliveries()
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.deliveries().iter().map(Delivery::record)
    }
}

/// Exits, and their messages by target, each with the number of its exit.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) exits: Vec<Exit>,
    /// Neighbours with one output each, which are exits only where something goes wrong.
    pub(super) runs: Vec<Run>,
    /// How many deliveries the runs hold.
    pub(super) in_runs: usize,
    parcels: Vec<Parcel>,
}

/// The messages of a round for one target, in order.
#[derive(Debug)]
pub(super) struct Parcel {
    target: Target,
    pub(super) owners: Vec<u32>,
    pub(super) messages: Vec<Message>,
}

impl Round {
    pub(super) fn len(&self) -> usize {
        self.exits.len() + self.in_runs
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an exit; its messages follow.
    pub(super) fn push(&mut self, exit: Exit) {
        self.exits.push(exit);
    }

    /// Adds a message of the last exit.
    pub(super) fn push_message(&mut self, plan: &InputPlan, target: Target, mut message: Message) {
        let Some(owner) = self.len().checked_sub(1) else {
            return;
        };
        if let Some(outlet) = outlet(plan, target)
            && let Err(error) = outlet.prepare(&mut message)
        {
            return self.refuse(owner, error);
        }
        self.parcel(target).push(as_owner(owner), message);
    }

    pub(super) fn parcel(&mut self, target: Target) -> &mut Parcel {
        let index = self
            .parcels
            .iter()
            .position(|parcel| parcel.target == target)
            .unwrap_or_else(|| {
                self.parcels.push(Parcel {
                    target,
                    owners: Vec::new(),
                    messages: Vec::new(),
                });
                self.parcels.len() - 1
            });
        &mut self.parcels[index]
    }

    /// Takes out what is confirmed or refused for good; what is to be published again stays, in order.
    pub(super) fn take_finished(&mut self, mut each: impl FnMut(Exit)) {
        self.single_out();
        if self
            .exits
            .iter()
            .all(|exit| !exit.again || exit.refused.is_some())
        {
            self.exits.drain(..).for_each(each);
            self.parcels.iter_mut().for_each(Parcel::clear);
            return;
        }
        let mut places = Vec::with_capacity(self.exits.len());
        let mut kept = Vec::new();
        for mut exit in self.exits.drain(..) {
            if exit.again && exit.refused.is_none() {
                exit.again = false;
                places.push(u32::try_from(kept.len()).ok());
                kept.push(exit);
            } else {
                places.push(None);
                each(exit);
            }
        }
        self.exits = kept;
        self.parcels
            .iter_mut()
            .for_each(|parcel| parcel.renumber(&places));
    }

    /// Takes out exits with an output that was refused before it was published.
    pub(super) fn take_refused(&mut self, each: impl FnMut(Exit)) {
        if self.exits.iter().any(|exit| exit.refused.is_some()) {
            self.single_out();
            self.exits.iter_mut().for_each(|exit| exit.again = true);
            self.take_finished(each);
        }
    }

    /// Takes out exits with an input for which `is_current` does not hold; their messages are not published.
    pub(super) fn take_gone(
        &mut self,
        is_current: impl Fn(&Record) -> bool,
        each: impl FnMut(Exit),
    ) {
        let is_same =
            |one: &Record, next: &Record| (one.lane, one.epoch) == (next.lane, next.epoch);
        let mut runs = self.runs.iter();
        let are_current = |run: &Run| {
            let mut alike = run.acked.records().chunk_by(is_same);
            alike.all(|records| records.first().is_none_or(&is_current))
        };
        let is_whole = |exit: &Exit| exit.records().all(&is_current);
        if runs.all(are_current) && self.exits.iter().all(is_whole) {
            return;
        }
        self.single_out();
        for exit in &mut self.exits {
            let is_whole = exit.records().all(&is_current);
            exit.again = is_whole;
        }
        self.take_finished(each);
    }

    /// Gives each message its destination.
    pub(super) fn address(&mut self, plan: &InputPlan) {
        for parcel in &mut self.parcels {
            if let Some(outlet) = outlet(plan, parcel.target) {
                let messages = parcel.messages.iter_mut();
                messages.for_each(|message| outlet.address(message));
            }
        }
    }

    /// The messages of each target, in order.
    pub(super) fn messages(&self) -> impl Iterator<Item = &[Message]> {
        let parcels = self.parcels.iter().map(|parcel| &*parcel.messages);
        parcels.filter(|messages| !messages.is_empty())
    }

    /// Puts another round behind this one.
    pub(super) fn append(&mut self, other: &mut Self) {
        let offset = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let before = self.exits.len();
        self.runs.extend(other.runs.drain(..).map(|run| Run {
            after: before + run.after,
            ..run
        }));
        self.in_runs += std::mem::take(&mut other.in_runs);
        self.exits.append(&mut other.exits);
        for parcel in &mut other.parcels {
            let into = self.parcel(parcel.target);
            into.owners
                .extend(parcel.owners.drain(..).map(|owner| owner + offset));
            into.messages.append(&mut parcel.messages);
        }
    }
}

/// A round has far fewer than 2^32 exits: intake stops long before.
pub(super) fn as_owner(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Parcel {
    pub(super) fn push(&mut self, owner: u32, message: Message) {
        self.owners.push(owner);
        self.messages.push(message);
    }

    fn clear(&mut self) {
        self.owners.clear();
        self.messages.clear();
    }

    fn renumber(&mut self, places: &[Option<u32>]) {
        let pairs = self.owners.drain(..).zip(self.messages.drain(..));
        let kept: Vec<_> = pairs
            .filter_map(|(owner, message)| Some((places[owner as usize]?, message)))
            .collect();
        (self.owners, self.messages) = kept.into_iter().unzip();
    }
}

/// Publishes a round; what failed stays in it. The last temporary error is returned.
pub(super) async fn publish_round(
    plan: Arc<InputPlan>,
    mut round: Round,
) -> (Round, Option<Error>) {
    let mut temporary = None;
    for index in 0..round.parcels.len() {
        let parcel = &mut round.parcels[index];
        let Some(outlet) = outlet(&plan, parcel.target).filter(|_| !parcel.messages.is_empty())
        else {
            continue;
        };
        let (results, sent) = outlet.publish_counted(&parcel.messages).await;
        if sent < results.len() {
            round.single_out();
            let Round { exits, parcels, .. } = &mut round;
            temporary = sort_out(&mut parcels[index], results, exits).or(temporary);
        } else {
            // The large block goes first: freed behind many small ones it makes the allocator put these together.
            drop(results);
            parcel.clear();
        }
    }
    (round, temporary)
}

/// Keeps the messages that failed, and tells their exits.
fn sort_out<T>(parcel: &mut Parcel, results: Vec<Result<T>>, exits: &mut [Exit]) -> Option<Error> {
    let mut temporary = None;
    let sent = parcel
        .owners
        .drain(..)
        .zip(parcel.messages.drain(..))
        .zip(results)
        .collect::<Vec<_>>();
    for ((owner, message), result) in sent {
        let Err(error) = result else { continue };
        let exit = &mut exits[owner as usize];
        if is_permanent(&error) {
            exit.refused = Some(error);
        } else {
            exit.again = true;
            parcel.push(owner, message);
            temporary = Some(error);
        }
    }
    temporary
}

pub(super) fn outlet(plan: &InputPlan, target: Target) -> Option<&Outlet> {
    match target {
        Target::Letter => Some(&plan.letter_outlet),
        Target::Output(OutputIndex(index)) => {
            plan.outlets.get(usize::from(index)).map(|outlet| &**outlet)
        }
    }
}

/// Whether publishing the same message again cannot succeed. A producer that is of no more use is opened anew.
fn is_permanent(error: &Error) -> bool {
    let of_the_message = matches!(
        error.kind(),
        ErrorKind::TooLarge | ErrorKind::Rejected | ErrorKind::Codec | ErrorKind::Unsupported
    );
    of_the_message && !error.is_temporary()
}
