//! The publishing side.

use std::{collections::HashSet, sync::Arc};

use async_trait::async_trait;
use mq_core::{
    binder::{Producer, Receipt},
    error::{Error, Result},
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

/// The results so far, and the keys that must not be stored any more in this call.
#[derive(Debug, Default)]
struct Results<'a> {
    all: Vec<Result<Receipt>>,
    failed: HashSet<(&'a str, &'a [u8])>,
}

impl<'a> Results<'a> {
    fn fail(&mut self, name: &'a Arc<str>, message: &'a Message, error: Error) {
        if let Some(key) = message.as_key().filter(|_| error.is_temporary()) {
            self.failed.insert((name, key));
        }
        self.all.push(Err(error));
    }

    /// Whether an earlier message of this key may be published again.
    fn has_failed(&self, name: &str, message: &Message) -> bool {
        let key = message.as_key();
        key.is_some_and(|key| self.failed.contains(&(name, &key[..])))
    }
}

impl MemoryProducer {
    pub(crate) fn new(session: Session, destination: Arc<str>) -> Self {
        Self {
            session,
            destination,
            turn: Mutex::new(()),
        }
    }

    /// Stores messages until all are stored, or one has to wait for room.
    fn store<'a>(
        &'a self,
        broker: &Broker,
        messages: &'a [Message],
        results: &mut Results<'a>,
    ) -> Option<OwnedNotified> {
        let (options, stamp, troubled) =
            (&broker.options, broker.stamp(), broker.trouble.is_ordered());
        let mut state = broker.lock();
        let mut target: Option<(&Arc<str>, usize)> = None;
        let mut room = None;
        for message in &messages[results.all.len()..] {
            let name = message
                .properties()
                .destination
                .as_ref()
                .unwrap_or(&self.destination);
            if !results.failed.is_empty() && results.has_failed(name, message) {
                results.fail(name, message, error::behind_failed());
                continue;
            }
            if let Err(error) = if troubled {
                broker.trouble.refuse(name)
            } else {
                Ok(())
            } {
                results.fail(name, message, error);
                continue;
            }
            let index = match target {
                Some((last, index)) if Arc::ptr_eq(last, name) || last == name => index,
                _ => {
                    target
                        .into_iter()
                        .for_each(|(_, index)| state.stored(index, options));
                    state.find_or_create(name, options)
                }
            };
            target = Some((name, index));
            match state.store(index, message, stamp, options) {
                Stored::At(receipt) => results.all.push(Ok(receipt)),
                Stored::Refused(error) => results.fail(name, message, error),
                Stored::Full(wait) => {
                    room = Some(wait);
                    break;
                }
            }
        }
        target
            .into_iter()
            .for_each(|(_, index)| state.stored(index, options));
        room
    }

    async fn store_all(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        let mut results = Results {
            all: Vec::with_capacity(messages.len()),
            failed: HashSet::new(),
        };
        while results.all.len() < messages.len() {
            let opened = self
                .session
                .open()
                .and_then(|broker| broker.trouble.connected().map(|()| broker));
            match opened {
                Ok(broker) => {
                    if let Some(room) = self.store(broker, messages, &mut results) {
                        room.await;
                    }
                }
                Err(error) => {
                    let rest = &messages[results.all.len()..];
                    results
                        .all
                        .extend(rest.iter().map(|_| Err(repeated(&error))));
                }
            }
        }
        results.all
    }
}

#[async_trait]
impl Producer for MemoryProducer {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        let _turn = self.turn.lock().await;
        consume_budget().await;
        self.session.broker.trouble.linger().await;
        let results = self.store_all(messages).await;
        if self.session.broker.trouble.withhold() {
            return results
                .into_iter()
                .map(|result| result.and_then(|_| Err(error::not_confirmed())))
                .collect();
        }
        results
    }
}

/// The same error once more: errors cannot be cloned.
fn repeated(error: &Error) -> Error {
    let same = Error::new(error.kind(), error.message());
    if error.is_temporary() {
        same.temporary()
    } else {
        same.fatal()
    }
}
