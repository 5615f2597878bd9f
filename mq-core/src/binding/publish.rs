//! Outputs on their way: published in order, one round after the other; what failed is published again, not handled again.

use std::{collections::VecDeque, sync::Arc};

use super::plan::InputPlan;
use crate::{
    binder::{Delivery, OutputIndex},
    error::{Error, ErrorKind},
    idempotency::Claim,
    message::Message,
    output::Outlet,
    worker::Subject,
};

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    pub(super) outputs: Outputs,
    pub(super) claim: Option<Box<Claim>>,
    /// Counted once it is confirmed.
    pub(super) is_dead_letter: bool,
    /// An output that can never be published.
    pub(super) refused: Option<Error>,
}

/// Messages with their targets; one costs no allocation.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    first: Option<(Target, Message)>,
    rest: Vec<(Target, Message)>,
}

impl Outputs {
    pub(super) fn push(&mut self, target: Target, message: Message) {
        match &self.first {
            None => self.first = Some((target, message)),
            Some(_) => self.rest.push((target, message)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_empty()
    }

    fn targets(&self) -> impl Iterator<Item = Target> {
        self.first
            .iter()
            .chain(&self.rest)
            .map(|(target, _)| *target)
    }

    /// Takes the messages for one target out, in order.
    fn take(&mut self, target: Target, mut each: impl FnMut(Message)) {
        if let Some((_, message)) = self.first.take_if(|(to, _)| *to == target) {
            each(message);
        }
        let (wanted, kept) = std::mem::take(&mut self.rest)
            .into_iter()
            .partition(|(to, _)| *to == target);
        self.rest = kept;
        let wanted: Vec<_> = wanted;
        wanted.into_iter().for_each(|(_, message)| each(message));
    }
}

impl Exit {
    pub(super) fn new(subject: Subject) -> Self {
        Self {
            subject,
            outputs: Outputs::default(),
            claim: None,
            is_dead_letter: false,
            refused: None,
        }
    }

    pub(super) fn deliveries(&self) -> &[Delivery] {
        match &self.subject {
            Subject::One(delivery) => std::slice::from_ref(delivery),
            Subject::Many(deliveries) => deliveries.as_slice(),
        }
    }
}

/// Publishes the outputs of every exit; those that failed stay in their exit. The last temporary error is returned.
pub(super) async fn publish_round(
    plan: Arc<InputPlan>,
    mut round: VecDeque<Exit>,
) -> (VecDeque<Exit>, Option<Error>) {
    let mut targets: Vec<Target> = Vec::new();
    for target in round.iter().flat_map(|exit| exit.outputs.targets()) {
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    let mut temporary = None;
    for target in targets {
        if let Some(outlet) = outlet(&plan, target)
            && let Some(error) = publish_to(outlet, target, &mut round).await
        {
            temporary = Some(error);
        }
    }
    (round, temporary)
}

fn outlet(plan: &InputPlan, target: Target) -> Option<&Outlet> {
    match target {
        Target::Letter => Some(&plan.letter_outlet),
        Target::Output(OutputIndex(index)) => {
            plan.outlets.get(usize::from(index)).map(|outlet| &**outlet)
        }
    }
}

async fn publish_to(outlet: &Outlet, target: Target, round: &mut VecDeque<Exit>) -> Option<Error> {
    let mut places = Vec::with_capacity(round.len());
    let mut messages = Vec::with_capacity(round.len());
    for (place, exit) in round.iter_mut().enumerate() {
        let refused = &mut exit.refused;
        exit.outputs
            .take(target, |message| match outlet.prepare(message) {
                Ok(message) => {
                    places.push(place);
                    messages.push(message);
                }
                Err(error) => *refused = Some(error),
            });
    }
    let results = outlet.publish(&messages).await;
    let mut temporary = None;
    for ((place, message), result) in places.into_iter().zip(messages).zip(results) {
        let Err(error) = result else { continue };
        if is_permanent(&error) {
            round[place].refused = Some(error);
        } else {
            round[place].outputs.push(target, message);
            temporary = Some(error);
        }
    }
    temporary
}

/// Whether publishing the same message again cannot succeed. A producer that is of no more use is opened anew.
fn is_permanent(error: &Error) -> bool {
    let of_the_message = matches!(
        error.kind(),
        ErrorKind::TooLarge | ErrorKind::Rejected | ErrorKind::Codec | ErrorKind::Unsupported
    );
    of_the_message && !error.is_temporary()
}
