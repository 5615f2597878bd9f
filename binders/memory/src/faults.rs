//! Trouble on demand, for tests.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mq_core::error::{Error, ErrorKind, Result};
use tokio::time::sleep;

use crate::{
    broker::{Broker, Ended},
    error,
};

/// How a publication is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// With [`ErrorKind::Unavailable`], temporary.
    Temporary,
    /// With [`ErrorKind::Rejected`], permanent.
    Permanent,
}

/// Makes trouble in a [`MemoryBinder`](crate::MemoryBinder); cheap to clone.
///
/// Orders add up until they are used up; [`restore`](Self::restore) forgets them all.
#[derive(Clone, Debug)]
pub struct Faults {
    broker: Arc<Broker>,
}

impl Faults {
    pub(crate) fn new(broker: Arc<Broker>) -> Self {
        Self { broker }
    }

    /// Refuses the next `times` messages to these destinations: a name, or a beginning with `*` behind it.
    pub fn refuse_publish(&self, destinations: &str, times: usize, refusal: Refusal) {
        let pattern = destinations.to_owned();
        self.broker.trouble.order(|orders| {
            orders.refusals.retain(|refused| refused.times > 0);
            orders.refusals.push(Refused {
                pattern,
                times,
                refusal,
            });
        });
    }

    /// Stores what the next `times` calls of `publish` and `commit` hold, and reports that it is not confirmed.
    pub fn withhold_confirm(&self, times: usize) {
        self.broker
            .trouble
            .order(|orders| orders.unconfirmed += times);
    }

    /// Fails the next `times` calls of `settle` with [`ErrorKind::Unavailable`], without effect.
    pub fn fail_settle(&self, times: usize) {
        self.broker
            .trouble
            .order(|orders| orders.unsettled += times);
    }

    /// Loses the next `count` acknowledgements after they were answered: their messages are delivered again.
    ///
    /// In the positional style these are commits: the lanes are lost, and assigned again where they stood.
    pub fn duplicate_delivery(&self, count: usize) {
        self.broker.trouble.order(|orders| orders.repeats += count);
    }

    /// Lets every call of `publish`, `settle`, `receive` and `commit` take this much longer; zero ends it.
    pub fn slow(&self, by: Duration) {
        self.broker.trouble.order(|orders| orders.delay = by);
    }

    /// Cuts the connection until [`restore`](Self::restore): subscriptions end, and their messages go back; whatever is called
    /// answers [`ErrorKind::Unavailable`].
    pub fn lose_connection(&self) {
        self.broker.trouble.order(|orders| orders.is_lost = true);
        self.broker
            .lock()
            .retire_all(None, Ended::Disconnected, &self.broker);
    }

    /// Takes the lanes of a destination from its consumers without asking, and gives them out again.
    pub fn lose_lanes(&self, destination: &str) {
        self.broker.lock().lose_lanes(destination, &self.broker);
    }

    /// Ends all trouble. Subscriptions that have ended stay so.
    pub fn restore(&self) {
        self.broker.trouble.restore();
    }
}

/// What was ordered; costs one look at a flag while it is nothing.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    is_ordered: AtomicBool,
    orders: Mutex<Orders>,
}

#[derive(Debug, Default)]
struct Orders {
    refusals: Vec<Refused>,
    unconfirmed: usize,
    unsettled: usize,
    repeats: usize,
    delay: Duration,
    is_lost: bool,
}

#[derive(Debug)]
struct Refused {
    pattern: String,
    times: usize,
    refusal: Refusal,
}

impl Refused {
    fn is_for(&self, destination: &str) -> bool {
        match self.pattern.strip_suffix('*') {
            Some(start) => destination.starts_with(start),
            None => destination == self.pattern,
        }
    }
}

impl Trouble {
    /// Whether there is any.
    #[inline]
    pub(crate) fn is_ordered(&self) -> bool {
        self.is_ordered.load(Ordering::Relaxed)
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, order: impl FnOnce(&mut Orders)) {
        order(&mut self.orders());
        self.is_ordered.store(true, Ordering::Relaxed);
    }

    fn restore(&self) {
        *self.orders() = Orders::default();
        self.is_ordered.store(false, Ordering::Relaxed);
    }

    /// Waits where calls are to be slow.
    #[inline]
    pub(crate) async fn linger(&self) {
        if self.is_ordered() {
            let delay = self.orders().delay;
            if !delay.is_zero() {
                sleep(delay).await;
            }
        }
    }

    /// Fails where the connection is lost.
    pub(crate) fn connected(&self) -> Result<()> {
        if self.is_ordered() && self.orders().is_lost {
            Err(error::disconnected())
        } else {
            Ok(())
        }
    }

    /// Whether a message to this destination is refused.
    pub(crate) fn refuse(&self, destination: &str) -> Result<()> {
        let mut orders = self.orders();
        let Some(refused) = orders
            .refusals
            .iter_mut()
            .find(|refused| refused.times > 0 && refused.is_for(destination))
        else {
            return Ok(());
        };
        refused.times -= 1;
        let (kind, refusal) = match refused.refusal {
            Refusal::Temporary => (ErrorKind::Unavailable, refused.refusal),
            Refusal::Permanent => (ErrorKind::Rejected, refused.refusal),
        };
        let error = Error::new(
            kind,
            "the broker refuses the message, as a test has ordered",
        )
        .context("destination", destination);
        Err(if refusal == Refusal::Temporary {
            error.temporary()
        } else {
            error
        })
    }

    /// Whether this call is not to be confirmed.
    pub(crate) fn withhold(&self) -> bool {
        self.is_ordered() && use_up(&mut self.orders().unconfirmed)
    }

    /// Whether this call of `settle` is to fail.
    pub(crate) fn settle(&self) -> Result<()> {
        if self.is_ordered() && use_up(&mut self.orders().unsettled) {
            Err(error::unsettled())
        } else {
            Ok(())
        }
    }

    /// Whether acknowledgements are to be lost.
    #[inline]
    pub(crate) fn repeats(&self) -> bool {
        self.is_ordered() && self.orders().repeats > 0
    }

    /// Whether this acknowledgement is lost.
    pub(crate) fn take_repeat(&self) -> bool {
        self.is_ordered() && use_up(&mut self.orders().repeats)
    }
}

fn use_up(times: &mut usize) -> bool {
    let left = *times > 0;
    *times = times.saturating_sub(1);
    left
}
