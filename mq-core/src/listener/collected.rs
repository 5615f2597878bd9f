//! Replies of a function on their way to the outputs.

use crate::{
    binder::{Delivery, OutputIndex, OutputRange, Staged, Staging},
    message::{IdSeed, Message, MessageId, Plain},
    middleware::Handled,
    outcome::{Failure, Outcome},
};

/// What a function has returned, message by message; one message costs no allocation.
#[derive(Debug, Default)]
pub struct Replies {
    /// The first, where it is no more than a payload: a message is wide.
    plain: Option<(OutputIndex, Plain)>,
    /// The first, where it is more.
    first: Option<Staged>,
    rest: Vec<Staged>,
}

impl Replies {
    /// Adds a message for the listener's output number `output`.
    #[inline(always)]
    pub fn push(&mut self, output: u16, message: Message) {
        let output = OutputIndex(output);
        let staged = Staged { output, message };
        if self.is_empty() {
            self.first = Some(staged);
        } else {
            self.rest.push(staged);
        }
    }

    /// Adds a payload for the listener's output number `output`.
    #[inline(always)]
    pub(super) fn push_plain(&mut self, output: u16, plain: Plain) {
        if self.is_empty() {
            self.plain = Some((OutputIndex(output), plain));
        } else {
            self.push(output, plain.into());
        }
    }

    /// Whether there are none.
    #[must_use]
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.plain.is_none() && self.first.is_none()
    }

    /// Takes everything out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Staged> {
        let plain = self.plain.take().map(|(output, plain)| Staged {
            output,
            message: plain.into(),
        });
        let first = plain.or(self.first.take());
        first.into_iter().chain(self.rest.drain(..))
    }

    /// The answer for `delivery`: replies count only where the outcome is an acknowledgement.
    #[inline(always)]
    pub(crate) fn answer(
        &mut self,
        delivery: &Delivery,
        outcome: Outcome,
        seeds: &[IdSeed],
    ) -> Handled {
        if self.is_empty() || !outcome.is_ack() {
            return outcome.into();
        }
        let last = self.last_output();
        if usize::from(last) >= seeds.len() {
            return no_output(last, seeds.len()).into();
        }
        Handled::with_outputs(self.stage(delivery, &delivery.id(), seeds))
    }

    /// The highest number of an output for which there is something.
    #[inline(always)]
    fn last_output(&self) -> u16 {
        let plain = self.plain.as_ref().map(|(output, _)| output.0);
        let staged = self.first.iter().chain(&self.rest);
        let staged = staged.map(|staged| staged.output.0).max();
        plain.max(staged).unwrap_or(0)
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

    /// Leaves every message with the input, and gives it an id and the trace of that.
    #[inline(always)]
    fn stage(&mut self, delivery: &Delivery, input: &MessageId, seeds: &[IdSeed]) -> OutputRange {
        let mut index = 0;
        let put = |staging: &mut Staging| {
            if let Some((output, plain)) = self.plain.take() {
                staging.push(output, plain);
            }
            let staged = self.first.take().into_iter().chain(self.rest.drain(..));
            staged.for_each(|staged| staging.push(staged.output, staged.message));
        };
        delivery.stage(put, |output, message| {
            if message.as_id().is_none() {
                message.set_id(seed(seeds, output).derive(input, index));
            }
            delivery.pass_on(message);
            index += 1;
        })
    }
}

fn seed(seeds: &[IdSeed], OutputIndex(output): OutputIndex) -> IdSeed {
    let seed = seeds.get(usize::from(output)).copied();
    seed.unwrap_or_else(|| IdSeed::new(&[]))
}

/// A value was returned for an output that there is not: publishing nothing would lose it.
#[cold]
fn no_output(last: u16, outputs: usize) -> Failure {
    let text = format!(
        "the listener returned a value for output number {}, but names {outputs}; name an output, or return `()`",
        last + 1
    );
    Failure::dead_letter(text).kind("outputs")
}
