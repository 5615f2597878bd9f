//! The publishing side.

use std::sync::Arc;

use async_trait::async_trait;
use mq_core::{
    binder::{Producer, Receipt},
    error::Result,
    message::Message,
};
use tokio::{
    sync::{Mutex, futures::OwnedNotified},
    task::consume_budget,
};

use crate::{
    broker::{Broker, Stored},
    error,
    session::Session,
};

/// Publishes to one destination, and to any other that a message names.
#[derive(Debug)]
pub(crate) struct MemoryProducer {
    session: Session,
    destination: Arc<str>,
    /// Calls are stored one after the other, in the order in which they came, even where one waits for room.
    turn: Mutex<()>,
}

impl MemoryProducer {
    pub(crate) fn new(session: Session, destination: Arc<str>) -> Self {
        Self { session, destination, turn: Mutex::new(()) }
    }

    /// Stores messages until all are stored, or one has to wait for room.
    fn store(&self, broker: &Broker, messages: &[Message], results: &mut Vec<Result<Receipt>>) -> Option<OwnedNotified> {
        let (options, stamp) = (&broker.options, broker.stamp());
        let mut state = broker.lock();
        let mut target: Option<(&Arc<str>, usize)> = None;
        let mut room = None;
        for message in &messages[results.len()..] {
            let name = message.properties().destination.as_ref().unwrap_or(&self.destination);
            let index = match target {
                Some((last, index)) if Arc::ptr_eq(last, name) || last == name => index,
                _ => {
                    target.into_iter().for_each(|(_, index)| state.stored(index, options));
                    state.find_or_create(name, options)
                }
            };
            target = Some((name, index));
            match state.store(index, message, stamp, options) {
                Stored::At(receipt) => results.push(Ok(receipt)),
                Stored::Refused(error) => results.push(Err(error)),
                Stored::Full(wait) => {
                    room = Some(wait);
                    break;
                }
            }
        }
        target.into_iter().for_each(|(_, index)| state.stored(index, options));
        room
    }
}

#[async_trait]
impl Producer for MemoryProducer {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        let mut results = Vec::with_capacity(messages.len());
        let _turn = self.turn.lock().await;
        consume_budget().await;
        while results.len() < messages.len() {
            let Ok(broker) = self.session.open() else {
                results.resize_with(messages.len(), || Err(error::closed()));
                break;
            };
            if let Some(room) = self.store(broker, messages, &mut results) {
                room.await;
            }
        }
        results
    }
}
