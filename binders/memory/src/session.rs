//! One open binder instance, shared by everything that was opened through it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use mq_core::error::Result;

use crate::{broker::Broker, error};

/// One open binder instance.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) broker: Arc<Broker>,
    closed: Arc<AtomicBool>,
}

impl Session {
    pub(crate) fn new(broker: Arc<Broker>) -> Self {
        Self {
            broker,
            closed: Arc::default(),
        }
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Refuses whatever comes after `close`.
    pub(crate) fn open(&self) -> Result<&Broker> {
        if self.is_closed() {
            Err(error::closed())
        } else {
            Ok(&self.broker)
        }
    }
}
