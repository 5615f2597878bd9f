//! Publishing once: a publisher with a name that numbers its messages.

use std::sync::Arc;

use mq_core::{binder::Receipt, error::Result, message::Message};

use super::Broker;
use crate::engine::{Numbers, Shared};

/// A publisher as the broker knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublisherInfo {
    /// Its name.
    pub name: Arc<str>,
    /// The highest number that was stored; 0 is none.
    pub last: u64,
    /// How often it was opened; 0 is by a version that did not count.
    pub epoch: u32,
}

impl Broker {
    /// Opens a publisher that numbers its messages, so that a repetition is stored once.
    ///
    /// It has one owner at a time: what is published through those who were opened with the same name before is refused from now on
    /// ([`ErrorKind::Lost`](mq_core::error::ErrorKind::Lost)), also after a restart.
    /// Its name, its highest number and how often it was opened are kept for good.
    /// When the future is dropped, the others may have been fenced.
    ///
    /// # Errors
    /// The broker does not work.
    pub async fn publisher(&self, name: &str) -> Result<Publisher> {
        let (id, epoch, changes) = self.shared.lock().publishers.open(name);
        self.shared.change(&changes).await?;
        Ok(Publisher {
            shared: self.shared.clone(),
            name: name.into(),
            id,
            epoch,
        })
    }

    /// Every publisher that was ever opened; looking at them fences nobody.
    #[must_use]
    pub fn publishers(&self) -> Vec<PublisherInfo> {
        let state = self.shared.lock();
        let all = state.publishers.iter().map(|found| PublisherInfo {
            name: found.name.clone(),
            last: found.last,
            epoch: found.epoch,
        });
        all.collect()
    }
}

/// A publisher that numbers its messages. Clones are the same owner of its name.
///
/// ```
/// use mq_broker::Broker;
/// use mq_core::{error::ErrorKind, message::Message};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let broker = Broker::open(folder.path()).await?;
/// let meter = broker.publisher("meter-12").await?;
/// for attempt in 0..2 {
///     // The reply to the first call was lost, say.
///     for stored in meter.publish("temperatures", 1, &[Message::new("17.5")]).await {
///         stored?;
///     }
///     assert_eq!(meter.last(), 1);
/// }
/// assert_eq!(broker.destinations()[0].messages, Some(1));
///
/// // Somebody else takes over: the first one is refused, whatever it still has on its way.
/// let other = broker.publisher("meter-12").await?;
/// let late = meter.publish("temperatures", 2, &[Message::new("17.6")]).await.remove(0);
/// assert_eq!(late.map_err(|error| error.kind()), Err(ErrorKind::Lost));
/// assert_eq!(other.last(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    name: Arc<str>,
    id: u64,
    epoch: u32,
}

impl Publisher {
    /// The highest number that was stored under its name, by whichever owner; 0 is none. Survives restarts.
    #[must_use]
    pub fn last(&self) -> u64 {
        let state = self.shared.lock();
        state
            .publishers
            .get(&self.name)
            .map_or(0, |found| found.last)
    }

    /// Which opening of the publisher this is: 1 is the first one.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Publishes messages with the numbers from `first` (1 or more) on; numbers that were stored before are confirmed and not stored again.
    ///
    /// After an unknown outcome (a lost reply, a crash) the same call is simply repeated.
    /// Numbers only rise, and there is one call at a time for each publisher: a number behind which a higher one is stored counts as stored.
    /// So when a message is refused, every later one of the call is refused too, temporarily.
    ///
    /// When the publisher was opened again since, each message is refused with a fatal error of the kind
    /// [`Lost`](mq_core::error::ErrorKind::Lost), and none is stored.
    pub async fn publish(
        &self,
        destination: &str,
        first: u64,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let numbers = Numbers {
            id: self.id,
            epoch: self.epoch,
            first: first.max(1),
        };
        let stored = self.shared.publish(destination, messages, Some(numbers));
        let named = |one: Result<_>| one.map_err(|error| error.context("publisher", &self.name));
        stored.await.into_iter().map(named).collect()
    }
}
