//! What sources give out, on its way to the outputs.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{
    binder::Staged,
    listener::{Replies, Returned},
    outcome::{Failure, Outcome},
};

/// Messages of one item of a source.
#[derive(Debug)]
pub struct Emitted {
    /// The messages, in order.
    pub messages: Vec<Staged>,
}

/// Where a source puts its items; waits while the outputs are slower than the source.
#[derive(Clone, Debug)]
pub struct Emit {
    sender: mpsc::Sender<Emitted>,
    name: Arc<str>,
}

impl Emit {
    /// A place for the items of the source `name`.
    #[must_use]
    pub fn new(name: Arc<str>, sender: mpsc::Sender<Emitted>) -> Self {
        Self { sender, name }
    }

    /// The source's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hands an item over; returns once there was room for it, which is not yet its confirmation.
    ///
    /// Dropping the future loses the item.
    ///
    /// # Errors
    /// The item cannot be encoded, or the application is stopping.
    pub async fn item(&self, item: impl Returned) -> Result<(), Failure> {
        let mut replies = Replies::default();
        if let Outcome::Failed(failure) = item.returned(&mut replies) {
            return Err(failure);
        }
        let messages: Vec<_> = replies.drain().collect();
        if messages.is_empty() {
            return Ok(());
        }
        let closed = |_| Failure::discard("the application is stopping").kind("stopping");
        self.sender.send(Emitted { messages }).await.map_err(closed)
    }

    /// Whether nobody takes items any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}
