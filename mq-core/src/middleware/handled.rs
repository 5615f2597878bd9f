//! What the stack answers: outcome, outputs, and the claim that success makes permanent.

use crate::{
    binder::OutputRange,
    idempotency::Claim,
    outcome::{Failure, Outcome},
};

/// The answer to one delivery: three words.
#[derive(Debug, Default)]
#[must_use]
pub struct Handled {
    /// What became of the delivery.
    pub outcome: Outcome,
    /// Outputs that must be confirmed before the delivery is settled.
    pub outputs: OutputRange,
    /// The idempotency claim that becomes permanent once the outputs are confirmed.
    pub claim: Option<Box<Claim>>,
}

impl Handled {
    /// With outputs.
    pub fn with_outputs(outputs: OutputRange) -> Self {
        Self {
            outputs,
            ..Self::default()
        }
    }

    /// Whether it is acknowledged, with nothing to publish and no claim to complete.
    #[must_use]
    #[inline]
    pub fn is_bare_ack(&self) -> bool {
        self.outcome.is_ack() && self.outputs.is_empty() && self.claim.is_none()
    }

    /// Whether it is acknowledged, with one output and no claim to complete.
    #[must_use]
    #[inline]
    pub(crate) fn is_bare_reply(&self) -> bool {
        self.outcome.is_ack() && self.outputs.len() == 1 && self.claim.is_none()
    }

    /// The failure, where it failed.
    #[must_use]
    pub fn failure_mut(&mut self) -> Option<&mut Failure> {
        match &mut self.outcome {
            Outcome::Ack => None,
            Outcome::Failed(failure) => Some(failure),
        }
    }
}

impl From<Outcome> for Handled {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            ..Self::default()
        }
    }
}

impl From<Failure> for Handled {
    fn from(failure: Failure) -> Self {
        Outcome::Failed(failure).into()
    }
}

/// The answer to a batch.
#[derive(Debug)]
#[must_use]
pub enum HandledBatch {
    /// The same for every delivery; outputs belong to all of them together.
    All(Handled),
    /// One for each delivery, in order.
    Each(Vec<Handled>),
}

impl HandledBatch {
    /// One answer for each of `count` deliveries; a failure of all is repeated for each.
    pub fn each(&mut self, count: usize) -> &mut Vec<Handled> {
        if let Self::All(handled) = self {
            *self = Self::Each(spread(std::mem::take(handled), count));
        }
        match self {
            Self::Each(list) => list,
            Self::All(_) => unreachable!("spread above"),
        }
    }

    /// Whether everything is acknowledged, with or without outputs.
    #[must_use]
    pub fn is_ack(&self) -> bool {
        match self {
            Self::All(handled) => handled.outcome.is_ack(),
            Self::Each(list) => list.iter().all(|handled| handled.outcome.is_ack()),
        }
    }
}

fn spread(first: Handled, count: usize) -> Vec<Handled> {
    let mut list = Vec::with_capacity(count);
    for _ in 1..count {
        let outcome = match &first.outcome {
            Outcome::Ack => Outcome::Ack,
            Outcome::Failed(failure) => Outcome::Failed(failure.repeat()),
        };
        list.push(outcome.into());
    }
    list.insert(0, first);
    list.truncate(count);
    list
}

impl From<Failure> for HandledBatch {
    fn from(failure: Failure) -> Self {
        Self::All(failure.into())
    }
}
