//! What is known of the connection to the cluster, from every client of the instance.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use mq_core::{
    binder::Health,
    error::{Error, Result},
};
use tokio::sync::watch;

use crate::error;

/// The state of an instance.
///
/// The probe alone decides whether brokers are there: the errors of other clients may be old when they are read.
#[derive(Debug)]
pub(crate) struct Link {
    name: Arc<str>,
    /// `None` until the probe has asked; then why brokers are away, if they are.
    down: watch::Sender<Option<Option<String>>>,
    closed: watch::Sender<bool>,
    /// Something has happened that the probe should look at.
    suspicious: AtomicBool,
}

impl Link {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            down: watch::Sender::new(None),
            closed: watch::Sender::new(false),
            suspicious: AtomicBool::new(true),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn health(&self) -> Health {
        if self.is_closed() {
            return Health::Down("closed".to_owned());
        }
        match &*self.down.borrow() {
            None => Health::Down("not connected yet".to_owned()),
            Some(Some(reason)) => Health::Down(reason.clone()),
            Some(None) => Health::Up,
        }
    }

    /// Waits until it is known whether brokers answer.
    pub(crate) async fn known(&self) {
        // The sender lives as long as `self`.
        drop(self.down.subscribe().wait_for(Option::is_some).await);
    }

    /// Brokers answer, or do not for this reason.
    pub(crate) fn set(&self, down: Option<String>) {
        let was_up = matches!(&*self.down.borrow(), Some(None));
        match &down {
            Some(reason) if was_up => tracing::warn!(binder = %self.name, reason, "Kafka is away"),
            None if !was_up => tracing::info!(binder = %self.name, "Kafka is there"),
            _ => {}
        }
        self.down.send_replace(Some(down));
    }

    /// A client has trouble: the probe is to look at once.
    pub(crate) fn suspect(&self) {
        self.suspicious.store(true, Ordering::Release);
    }

    pub(crate) fn take_suspicion(&self) -> bool {
        self.suspicious.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn open(&self) -> Result<()> {
        if self.is_closed() {
            return Err(error::closed());
        }
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Ends when the instance is closed.
    pub(crate) async fn closing(&self) -> Error {
        // The sender lives as long as `self`.
        drop(self.closed.subscribe().wait_for(|closed| *closed).await);
        error::closed()
    }
}
