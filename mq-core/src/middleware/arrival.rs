//! What a layer must know of a request to serve single deliveries and batches with one implementation.

use super::{Handled, HandledBatch};
use crate::{
    binder::{Deliveries, Delivery},
    outcome::{Failure, Outcome},
};

/// A request of the stack: one delivery, or several that are handled together.
///
/// Implemented by [`Delivery`] and [`Deliveries`]; a layer that is generic over it works around every listener.
pub trait Arrival: Clone + Send + Sync + 'static {
    /// The answer.
    type Handled: From<Failure> + Send + 'static;

    /// What is kept of the request to judge failures; a number for a single delivery.
    type Mark: Send + Sync + 'static;

    /// The deliveries in order.
    fn deliveries(&self) -> &[Delivery];

    /// What is to be kept of the request.
    fn mark(&self) -> Self::Mark;

    /// Looks at every outcome.
    fn outcomes(handled: &Self::Handled, mark: &Self::Mark, each: impl FnMut(&Outcome));

    /// Looks at every outcome, each with the number of deliveries in a row that have it.
    fn all_outcomes(handled: &Self::Handled, request: &Self, each: impl FnMut(&Outcome, u64));

    /// Changes every failure, given the failed attempts before it.
    fn failures(
        handled: &mut Self::Handled,
        mark: &Self::Mark,
        each: impl FnMut(&mut Failure, u32),
    );

    /// The same request without the deliveries for which `keep` is false; `None` if none is left.
    fn retain(self, keep: &[bool]) -> Option<Self>;

    /// Puts the answers for the retained deliveries between those for the others.
    fn join(handled: Option<Self::Handled>, others: Vec<Option<Handled>>) -> Self::Handled;

    /// One answer for each delivery, to change.
    fn answers<'a>(handled: &'a mut Self::Handled, mark: &Self::Mark) -> &'a mut [Handled];
}

impl Arrival for Delivery {
    type Handled = Handled;
    type Mark = u32;

    fn deliveries(&self) -> &[Delivery] {
        std::slice::from_ref(self)
    }

    fn mark(&self) -> u32 {
        Self::failures(self)
    }

    fn outcomes(handled: &Handled, _: &u32, mut each: impl FnMut(&Outcome)) {
        each(&handled.outcome);
    }

    #[inline(always)]
    fn all_outcomes(handled: &Handled, _: &Self, mut each: impl FnMut(&Outcome, u64)) {
        each(&handled.outcome, 1);
    }

    fn failures(handled: &mut Handled, mark: &u32, mut each: impl FnMut(&mut Failure, u32)) {
        if let Outcome::Failed(failure) = &mut handled.outcome {
            each(failure, *mark);
        }
    }

    fn retain(self, keep: &[bool]) -> Option<Self> {
        keep.first().copied().unwrap_or(true).then_some(self)
    }

    fn join(handled: Option<Handled>, mut others: Vec<Option<Handled>>) -> Handled {
        handled
            .or_else(|| others.pop().flatten())
            .unwrap_or_default()
    }

    fn answers<'a>(handled: &'a mut Handled, _: &u32) -> &'a mut [Handled] {
        std::slice::from_mut(handled)
    }
}

impl Arrival for Deliveries {
    type Handled = HandledBatch;
    type Mark = Self;

    fn deliveries(&self) -> &[Delivery] {
        self.as_slice()
    }

    fn mark(&self) -> Self {
        self.clone()
    }

    fn outcomes(handled: &HandledBatch, mark: &Self, mut each: impl FnMut(&Outcome)) {
        match handled {
            HandledBatch::All(handled) => (0..mark.len()).for_each(|_| each(&handled.outcome)),
            HandledBatch::Each(list) => list.iter().for_each(|handled| each(&handled.outcome)),
        }
    }

    fn all_outcomes(handled: &HandledBatch, request: &Self, mut each: impl FnMut(&Outcome, u64)) {
        match handled {
            HandledBatch::All(handled) => each(&handled.outcome, request.len() as u64),
            HandledBatch::Each(list) => list.iter().for_each(|handled| each(&handled.outcome, 1)),
        }
    }

    fn failures(handled: &mut HandledBatch, mark: &Self, mut each: impl FnMut(&mut Failure, u32)) {
        if handled.is_ack() {
            return;
        }
        for (handled, delivery) in handled.each(mark.len()).iter_mut().zip(mark.as_slice()) {
            if let Some(failure) = handled.failure_mut() {
                each(failure, delivery.failures());
            }
        }
    }

    fn retain(self, keep: &[bool]) -> Option<Self> {
        if keep.iter().all(|keep| *keep) {
            return Some(self);
        }
        let kept: Vec<_> = self
            .as_slice()
            .iter()
            .zip(keep)
            .filter(|(_, keep)| **keep)
            .map(|(d, _)| d.clone())
            .collect();
        (!kept.is_empty()).then(|| Self::new(kept))
    }

    fn join(handled: Option<HandledBatch>, others: Vec<Option<Handled>>) -> HandledBatch {
        let Some(mut handled) = handled else {
            return HandledBatch::Each(others.into_iter().flatten().collect());
        };
        if others.iter().all(Option::is_none) {
            return handled;
        }
        let kept = others.iter().filter(|other| other.is_none()).count();
        let mut answers = std::mem::take(handled.each(kept)).into_iter();
        let joined = others
            .into_iter()
            .map(|other| other.or_else(|| answers.next()).unwrap_or_default());
        HandledBatch::Each(joined.collect())
    }

    fn answers<'a>(handled: &'a mut HandledBatch, mark: &Self) -> &'a mut [Handled] {
        handled.each(mark.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn answers_of_a_thinned_batch_go_back_to_their_places() {
        let batch = Deliveries::new((0..3).map(|_| Delivery::of(Message::new("x"))).collect());
        let kept = batch.retain(&[true, false, true]).expect("two are left");
        assert_eq!(kept.len(), 2);
        let failed = HandledBatch::from(Failure::retry("broken"));
        let others = vec![None, Some(Handled::default()), None];
        let HandledBatch::Each(joined) = Deliveries::join(Some(failed), others) else {
            panic!("one each")
        };
        let acks: Vec<_> = joined
            .iter()
            .map(|handled| handled.outcome.is_ack())
            .collect();
        assert_eq!(acks, [false, true, false]);
    }
}
