//! Outputs that a handler has made, waiting in their input's batch until the loop publishes them.
//!
//! They do not travel through the layers: a response stays three words wide, and a reply is moved once.

use crate::message::Message;

/// The number of an output binding within its listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputIndex(pub u16);

/// A message on its way to an output.
#[derive(Clone, Debug)]
pub struct Staged {
    /// Which of the listener's outputs.
    pub output: OutputIndex,
    /// The message.
    pub message: Message,
}

/// The place of a handler's outputs in its batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputRange {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl OutputRange {
    /// No outputs.
    pub const EMPTY: Self = Self { start: 0, len: 0 };

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the outputs of `next` stand right behind these.
    pub(crate) fn goes_on_with(self, next: Self) -> bool {
        self.start + self.len == next.start
    }

    /// Each output as a range of its own.
    pub(crate) fn singles(self) -> impl Iterator<Item = Self> {
        (self.start..self.start + self.len).map(|start| Self { start, len: 1 })
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len as usize
    }
}

/// The outputs of a batch until the loop takes them: messages and, beside each, where it goes.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    messages: Vec<Message>,
    /// `None` once the message is taken.
    outputs: Vec<Option<OutputIndex>>,
}

impl Staging {
    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.outputs.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.outputs.len()
    }

    /// Adds a message for an output; it is made where it stays.
    #[inline(always)]
    pub(crate) fn push(&mut self, output: OutputIndex, message: impl Into<Message>) {
        self.outputs.push(Some(output));
        self.messages.push(message.into());
    }

    /// The message at this place, and the output that it goes to.
    #[inline(always)]
    pub(super) fn at(&mut self, place: usize) -> Option<(OutputIndex, &mut Message)> {
        let output = self.outputs.get(place)?;
        Some(((*output)?, self.messages.get_mut(place)?))
    }

    /// Takes outputs out one by one, in order.
    pub(super) fn take(&mut self, range: OutputRange, mut each: impl FnMut(Staged)) {
        let start = range.start as usize;
        let slots = self.outputs.iter_mut().zip(&mut self.messages);
        for (output, message) in slots.skip(start).take(range.len()) {
            if let Some(output) = output.take() {
                let message = std::mem::take(message);
                each(Staged { output, message });
            }
        }
    }

    /// Takes everything out at once, if `range` is everything and all of it goes to one output: then `into` says where to.
    pub(super) fn take_all(
        &mut self,
        range: OutputRange,
        into: impl FnOnce(OutputIndex, &mut Vec<Message>),
    ) -> bool {
        let Some(Some(output)) = self.outputs.first().copied() else {
            return false;
        };
        let is_all = range.start == 0 && range.len() == self.outputs.len();
        if !is_all || self.outputs.iter().any(|other| *other != Some(output)) {
            return false;
        }
        into(output, &mut self.messages);
        self.clear();
        true
    }
}
