//! Taking out messages whose time is up, and those that are too old.

use std::sync::Arc;

use mq_core::{
    binder::letter,
    error::{Error, Result},
    message::Message,
};

use super::{block::block_on, publish::Checks, shared::Shared};
use crate::{
    error,
    options::Durability,
    record::{self, Change, FLEETING},
    state::{Over, Pick, Route},
};

/// So many messages go in one step.
const STEP: usize = 256;

impl Shared {
    /// Takes out messages whose time is up, where their destinations want that; blocks on the disk.
    pub(super) fn expire(self: &Arc<Self>) -> Result<()> {
        loop {
            let over = self.lock().over(self.clock.now(), STEP);
            let Some(over) = over else { return Ok(()) };
            let letters = self.letters_of(&over)?;
            let change = Change::Expire {
                destination: over.destination,
                partition: over.partition,
                runs: over.runs,
            };
            block_on(self.publish_with(&letters, &[change], Durability::Os, Checks::None, || {}))?;
        }
    }

    /// Takes out messages that are older than their destinations keep; blocks on the disk.
    pub(super) fn age(&self) -> Result<()> {
        let changes = self.lock().aged(self.clock.now());
        if changes.is_empty() {
            return Ok(());
        }
        let ticket = self.write(&changes, Durability::Os)?;
        block_on(ticket.wait()).map(drop)
    }

    /// A dead letter for each group that was to handle a message.
    fn letters_of(&self, over: &Over) -> Result<Vec<(Arc<Route>, Message)>> {
        let mut letters = Vec::new();
        for (pick, groups) in over.letters.iter().filter(|(_, groups)| !groups.is_empty()) {
            let message = self.message_here(pick)?;
            for group in groups {
                let origin = letter::Origin {
                    destination: &over.name,
                    partition: over.partition,
                    position: pick.position,
                    group: Some(group),
                };
                let letter = letter::dead_letter(&message, &origin, "its time is up", 0);
                let target = letter::dead_letters(&over.name, Some(group));
                letters.push((block_on(self.route(&target))?, letter));
            }
        }
        Ok(letters)
    }

    /// Reads one message on this thread.
    fn message_here(&self, pick: &Pick) -> Result<Message> {
        let gone = || error::unreadable(pick.lsn);
        let mut found = None;
        if pick.lsn & FLEETING != 0 {
            found = self.bodies.fleeting(pick);
            found.as_ref().ok_or_else(gone)?;
        } else {
            let picks = std::slice::from_ref(pick);
            self.bodies.recall(picks, |_, bytes| found = Some(bytes));
        }
        let bytes = match found {
            Some(bytes) => bytes,
            None => self.bodies.read(pick)?,
        };
        record::decode(&bytes).map_err(|malformed| -> Error { error::malformed(malformed) })
    }
}
