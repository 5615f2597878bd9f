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
