//! Outputs and settlements in one frame of the journal.

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{Receipts, Settlement, Transaction},
    error::Result,
    message::Message,
};

use super::session::Session;
use crate::{
    broker::no_target,
    error,
    state::{MemberKey, Route},
};

/// What belongs to the step that is open; nothing of it is in the broker before the commit.
#[derive(Debug)]
pub(super) struct BrokerTransaction {
    session: Arc<Session>,
    key: MemberKey,
    letters: Option<Arc<str>>,
    messages: Vec<(Arc<Route>, Message)>,
    settlements: Vec<Settlement>,
    /// Something could not be added: the step must be aborted.
    is_broken: bool,
}

impl BrokerTransaction {
    pub(super) fn new(session: Arc<Session>, key: MemberKey, letters: Option<Arc<str>>) -> Self {
        Self {
            session,
            key,
            letters,
            messages: Vec::new(),
            settlements: Vec::new(),
            is_broken: false,
        }
    }

    async fn add(&mut self, message: &Message) -> Result<()> {
        let name = message.properties().destination.as_deref();
        let route = self
            .session
            .open()?
            .route(name.ok_or_else(no_target)?)
            .await?;
        self.messages.push((route, message.clone()));
        Ok(())
    }
}

#[async_trait]
impl Transaction for BrokerTransaction {
    async fn publish(&mut self, messages: &[Message]) -> Result<()> {
        self.session.open()?;
        for message in messages {
            if let Err(error) = self.add(message).await {
                self.is_broken = true;
                return Err(error);
            }
        }
        Ok(())
    }

    async fn settle(&mut self, settlements: &[Settlement]) -> Result<()> {
        self.session.open()?;
        self.settlements.extend_from_slice(settlements);
        Ok(())
    }

    async fn commit(&mut self) -> Result<Receipts> {
        if self.is_broken {
            return Err(error::config(
                "something could not be added to the transaction; abort it, and begin again",
            ));
        }
        let messages = self.messages.clone();
        let receipts = self
            .session
            .open()?
            .transact(self.key, self.letters.as_ref(), messages, &self.settlements)
            .await?;
        self.messages.clear();
        self.settlements.clear();
        Ok(receipts)
    }

    async fn abort(&mut self) -> Result<()> {
        self.messages.clear();
        self.settlements.clear();
        self.is_broken = false;
        Ok(())
    }
}
