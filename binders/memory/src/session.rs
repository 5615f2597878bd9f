//! One open binder instance, shared by everything that was opened through it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use mq_core::error::Result;

use crate::{
    broker::{Broker, Ended},
    error,
};

/// Numbers tell instances on one broker apart.
static LAST: AtomicU64 = AtomicU64::new(0);

/// One open binder instance.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) broker: Arc<Broker>,
    pub(crate) number: u64,
    closed: Arc<AtomicBool>,
}

impl Session {
    pub(crate) fn new(broker: Arc<Broker>) -> Self {
        Self {
            broker,
            number: LAST.fetch_add(1, Ordering::Relaxed),
            closed: Arc::default(),
        }
    }

    /// Ends everything that was opened through this instance.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.broker
            .lock()
            .retire_all(Some(self.number), Ended::Closed, &self.broker);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Refuses whatever comes after `close`.
    #[inline]
    pub(crate) fn open(&self) -> Result<&Broker> {
        if self.is_closed() {
            Err(error::closed())
        } else {
            Ok(&self.broker)
        }
    }
}
