//! Transactions on the outbox in memory, with the same gaps in the numbers that databases have.

use super::{MemoryOutbox, OutboxMessage, state::Stored};
use crate::{error::Result, outbox::RowId};

/// Rows that become visible together, with [`commit`](Self::commit); dropping it forgets them.
///
/// Rows get their numbers when they are appended, so of two open transactions the one that commits first may have the larger
/// numbers, as in a database.
#[derive(Debug)]
pub struct MemoryOutboxTransaction {
    outbox: MemoryOutbox,
    rows: Vec<(RowId, Stored)>,
}

impl MemoryOutboxTransaction {
    pub(super) fn new(outbox: MemoryOutbox) -> Self {
        Self {
            outbox,
            rows: Vec::new(),
        }
    }

    /// Appends messages, all or none.
    ///
    /// # Errors
    /// [`ErrorKind::Full`](crate::error::ErrorKind::Full), temporary: the outbox has no room.
    pub fn append(&mut self, messages: &[OutboxMessage]) -> Result<()> {
        let (now, wall) = (self.outbox.clock.now(), self.outbox.clock.wall());
        let first = self
            .outbox
            .state()
            .reserve(messages.len(), self.outbox.limit);
        let first = first.ok_or_else(|| self.outbox.full())?;
        let ids = (first..).map(RowId);
        let stored = messages
            .iter()
            .map(|message| Stored::new(message.clone(), now, wall));
        self.rows.extend(ids.zip(stored));
        Ok(())
    }

    /// Makes the rows visible and wakes the relay.
    pub fn commit(mut self) {
        let rows = std::mem::take(&mut self.rows);
        if !rows.is_empty() {
            self.outbox.state().insert(rows);
            self.outbox.wake_up.wake();
        }
    }
}

impl Drop for MemoryOutboxTransaction {
    fn drop(&mut self) {
        self.outbox.state().give_up(self.rows.len());
    }
}
