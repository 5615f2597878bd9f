//! Replies of a function on their way to the outputs.

use crate::{
    binder::{Delivery, OutputIndex, OutputRange, Staged},
    message::{IdSeed, Message, MessageId},
    middleware::Handled,
    outcome::{Failure, Outcome},
};

/// What a function has returned, message by message; one message costs no allocation.
#[derive(Debug, Default)]
pub struct Replies {
    first: Option<Staged>,
    rest: Vec<Staged>,
}

impl Replies {
    /// Adds a message for the listener's output number `output`.
    #[inline]
    pub fn push(&mut self, output: u16, message: Message) {
        let staged = Staged {
            output: OutputIndex(output),
            message,
        };
        match &self.first {
            None => self.first = Some(staged),
            Some(_) => self.rest.push(staged),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Takes everything out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Staged> {
        self.first.take().into_iter().chain(self.rest.drain(..))
    }

    /// The answer for `delivery`: replies count only where the outcome is an acknowledgement.
    pub(crate) fn answer(
        &mut self,
        delivery: &Delivery,
        outcome: Outcome,
        seeds: &[IdSeed],
    ) -> Handled {
        if self.is_empty() || !outcome.is_ack() {
            return outcome.into();
        }
        if let Some(failure) = self.without_output(seeds.len()) {
            return failure.into();
        }
        Handled::with_outputs(self.stage(delivery, &delivery.id(), seeds))
    }

    /// A value was returned for an output that there is not: publishing nothing would lose it.
    fn without_output(&self, outputs: usize) -> Option<Failure> {
        let rest = self.rest.iter().map(|staged| staged.output.0).max();
        let last = self.first.as_ref()?.output.0.max(rest.unwrap_or(0));
        (usize::from(last) >= outputs).then(|| no_output(last, outputs))
    }

    /// The answer for all of these deliveries: ids are derived from all of theirs, so that another batch makes other ids.
    pub(crate) fn answer_all(&mut self, deliveries: &[Delivery], seeds: &[IdSeed]) -> Handled {
        let ids = deliveries.iter().map(Delivery::id);
        let all = ids.reduce(|all, id| IdSeed::after(&all).derive(&id, 0));
        match (deliveries.first(), all) {
            (Some(first), Some(all)) if !self.is_empty() => {
                Handled::with_outputs(self.stage(first, &all, seeds))
            }
            _ => Handled::default(),
        }
    }

    /// Gives every message an id and the trace of its input, and leaves it with the input.
    fn stage(&mut self, delivery: &Delivery, input: &MessageId, seeds: &[IdSeed]) -> OutputRange {
        if let Some(first) = &mut self.first {
            mark(first, delivery, input, 0, seeds);
        }
        for (index, staged) in (1..).zip(&mut self.rest) {
            mark(staged, delivery, input, index, seeds);
        }
        delivery.stage(&mut self.first, &mut self.rest)
    }
}

/// Gives an output its id and the trace of its input.
#[inline(always)]
fn mark(staged: &mut Staged, delivery: &Delivery, input: &MessageId, index: u32, seeds: &[IdSeed]) {
    if staged.message.as_id().is_none() {
        let seed = seeds
            .get(usize::from(staged.output.0))
            .copied()
            .unwrap_or_else(|| IdSeed::new(&[]));
        staged.message.set_id(seed.derive(input, index));
    }
    delivery.pass_on(&mut staged.message);
}

#[cold]
fn no_output(last: u16, outputs: usize) -> Failure {
    let text = format!(
        "the listener returned a value for output number {}, but names {outputs}; name an output, or return `()`",
        last + 1
    );
    Failure::dead_letter(text).kind("outputs")
}
