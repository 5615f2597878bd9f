//! Replies of a function on their way to the outputs.

use crate::{
    binder::{Delivery, OutputIndex, OutputRange, Staged},
    message::{IdSeed, Message},
    middleware::Handled,
    outcome::Outcome,
};

/// What a function has returned, message by message; one message costs no allocation.
#[derive(Debug, Default)]
pub struct Replies {
    first: Option<Staged>,
    rest: Vec<Staged>,
}

impl Replies {
    /// Adds a message for the listener's output number `output`.
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
        Handled::with_outputs(self.stage(delivery, seeds))
    }

    /// Gives every message an id and the trace of its input, and leaves it with the input.
    fn stage(&mut self, delivery: &Delivery, seeds: &[IdSeed]) -> OutputRange {
        let input = delivery.id();
        for (index, staged) in (0..).zip(self.first.iter_mut().chain(&mut self.rest)) {
            if staged.message.as_id().is_none() {
                let seed = seeds
                    .get(usize::from(staged.output.0))
                    .copied()
                    .unwrap_or_else(|| IdSeed::new(&[]));
                staged.message.set_id(seed.derive(&input, index));
            }
            delivery.pass_on(&mut staged.message);
        }
        delivery.stage(&mut self.first, &mut self.rest)
    }
}
