//! Outputs and settlements in atomic steps.

use async_trait::async_trait;
use mq_core::{
    binder::{Receipts, Settlement, Transaction},
    error::Result,
    message::Message,
};

use crate::{
    broker::{Committed, MemberKey},
    error,
    session::Session,
};

/// What belongs to the step that is open; nothing of it is in the broker before the commit.
#[derive(Debug)]
pub(crate) struct MemoryTransaction {
    session: Session,
    key: MemberKey,
    messages: Vec<Message>,
    settlements: Vec<Settlement>,
    /// The step took effect, but nobody was told.
    receipts: Option<Receipts>,
    /// Something could not be added: the step must be aborted.
    is_broken: bool,
}

impl MemoryTransaction {
    pub(crate) fn new(session: Session, key: MemberKey) -> Self {
        Self {
            session,
            key,
            messages: Vec::new(),
            settlements: Vec::new(),
            receipts: None,
            is_broken: false,
        }
    }

    fn refuse(&self) -> Result<()> {
        let trouble = &self.session.broker.trouble;
        if !trouble.is_ordered() {
            return Ok(());
        }
        let targets = self
            .messages
            .iter()
            .filter_map(|message| message.properties().destination.as_ref());
        targets
            .into_iter()
            .try_for_each(|target| trouble.refuse(target))
    }

    /// Applies the step, as soon as there is room for its messages.
    async fn apply(&mut self) -> Result<Receipts> {
        loop {
            let broker = self.session.open()?;
            broker.trouble.linger().await;
            broker.trouble.connected()?;
            let committed =
                broker
                    .lock()
                    .commit(self.key, &self.messages, &self.settlements, broker);
            match committed {
                Committed::Done(receipts) => {
                    self.messages.clear();
                    self.settlements.clear();
                    return Ok(receipts);
                }
                Committed::Refused(error) => return Err(error),
                Committed::Full(room) => room.await,
            }
        }
    }
}

#[async_trait]
impl Transaction for MemoryTransaction {
    async fn publish(&mut self, messages: &[Message]) -> Result<()> {
        self.session.open()?;
        if messages
            .iter()
            .any(|message| message.properties().destination.is_none())
        {
            self.is_broken = true;
            return Err(error::no_target());
        }
        self.messages.extend_from_slice(messages);
        Ok(())
    }

    async fn settle(&mut self, settlements: &[Settlement]) -> Result<()> {
        self.session.open()?;
        self.settlements.extend_from_slice(settlements);
        Ok(())
    }

    async fn commit(&mut self) -> Result<Receipts> {
        if let Some(receipts) = self.receipts.take() {
            return Ok(receipts);
        }
        if self.is_broken {
            return Err(error::broken_step());
        }
        self.refuse()?;
        let receipts = self.apply().await?;
        if self.session.broker.trouble.withhold() {
            self.receipts = Some(receipts);
            return Err(error::not_confirmed());
        }
        Ok(receipts)
    }

    async fn abort(&mut self) -> Result<()> {
        self.messages.clear();
        self.settlements.clear();
        self.receipts = None;
        self.is_broken = false;
        Ok(())
    }
}
