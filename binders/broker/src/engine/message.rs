//! Reading one message.

use std::sync::Arc;

use bytes::Bytes;
use mq_core::{error::Result, message::Message};

use super::shared::Shared;
use crate::{
    error,
    record::{self, FLEETING},
    state::Pick,
};

impl Shared {
    /// Reads one message.
    pub(crate) async fn message(self: &Arc<Self>, pick: &Pick) -> Result<Message> {
        let bytes = match self.in_memory(pick)? {
            Some(bytes) => bytes,
            None => {
                let (shared, pick) = (self.clone(), *pick);
                let read = tokio::task::spawn_blocking(move || shared.bodies.read(&pick));
                read.await.map_err(|_| error::closed())??
            }
        };
        record::decode(&bytes).map_err(error::malformed)
    }

    /// Reads one message on this thread.
    pub(super) fn message_here(&self, pick: &Pick) -> Result<Message> {
        let bytes = match self.in_memory(pick)? {
            Some(bytes) => bytes,
            None => self.bodies.read(pick)?,
        };
        record::decode(&bytes).map_err(error::malformed)
    }

    /// The record, if it is in memory.
    fn in_memory(&self, pick: &Pick) -> Result<Option<Bytes>> {
        if pick.lsn & FLEETING != 0 {
            let bytes = self.bodies.fleeting(pick);
            return bytes.map(Some).ok_or_else(|| error::unreadable(pick.lsn));
        }
        let mut found = None;
        let picks = std::slice::from_ref(pick);
        self.bodies.recall(picks, |_, bytes| found = Some(bytes));
        Ok(found)
    }
}
