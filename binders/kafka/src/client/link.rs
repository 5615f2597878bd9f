//! What is known of the connection to the cluster, from every client of the instance.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use mq_core::{
    binder::Health,
    error::{Error, Result},
};
use tokio::sync::watch;

use crate::error;

/// The state of an instance.
#[derive(Debug)]
pub(crate) struct Link {
    name: Arc<str>,
    down: Mutex<Option<String>>,
    closed: watch::Sender<bool>,
    /// Something has happened that the probe should look at.
    suspicious: AtomicBool,
}

impl Link {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            down: Mutex::new(Some("not connected yet".to_owned())),
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
        match &*self.down.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(reason) => Health::Down(reason.clone()),
            None => Health::Up,
        }
    }

    /// Brokers answer, or do not for this reason.
    pub(crate) fn set(&self, down: Option<String>) {
        let mut state = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_some() != down.is_some() {
            match &down {
                Some(reason) => tracing::warn!(binder = %self.name, reason, "Kafka is away"),
                None => tracing::info!(binder = %self.name, "Kafka is there"),
            }
        }
        *state = down;
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
