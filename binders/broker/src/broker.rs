//! The broker as a library.

mod administration;
mod publisher;
mod subscribe;

pub use publisher::{Publisher, PublisherInfo};
pub use subscribe::Subscribe;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use mq_core::{binder::Receipt, error::Result, message::Message};

use crate::{
    engine::{DiskRoom, Running, Shared},
    error,
    options::{BrokerOptions, DestinationOptions},
    storage::{Folder, Storage},
    subscription::Subscription,
};

/// An embedded, durable broker: a folder that this process owns.
///
/// Clones are the same broker.
/// Dropping the last one gives the folder back; [`close`](Self::close) does so in an orderly way, and makes the next start quick.
/// Both block on the disk until what is on its way is written; `close` does so beside the runtime.
///
/// ```
/// use mq_broker::Broker;
/// use mq_core::message::Message;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path();
/// let broker = Broker::open(path).await?;
/// let messages = [Message::new("a").key("k"), Message::new("b").header("h", "1")];
/// let results = broker.publish("letters", &messages).await;
/// assert_eq!(results[1].as_ref().ok().and_then(|stored| stored.position), Some(1));
/// // As a crash would do it: what was confirmed is there.
/// drop(broker);
/// let broker = Broker::open(path).await?;
/// assert_eq!(broker.destinations()[0].messages, Some(2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Broker {
    pub(crate) shared: Arc<Shared>,
    /// Nothing where somebody else closes the broker.
    running: Arc<Mutex<Option<Running>>>,
}

/// What [`Broker::browse`] shows of a message.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Browsed {
    /// The partition.
    pub partition: u32,
    /// The position there.
    pub position: u64,
    /// The message.
    pub message: Message,
    /// Whether it was marked as handled.
    pub handled: bool,
}

impl Broker {
    /// Opens the folder, which is created where it is missing, with the default options.
    ///
    /// A [socket](crate::Remote) in the folder answers other processes as long as the broker is open.
    ///
    /// # Errors
    /// Another broker has the folder, the disk fails, or the journal is damaged.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, BrokerOptions::default()).await
    }

    /// Opens the folder with these options.
    ///
    /// # Errors
    /// As for [`open`](Self::open), or the options contradict each other.
    pub async fn open_with(path: impl AsRef<Path>, options: BrokerOptions) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let open = move || {
            let folder = Folder::new(&path).map_err(|error| {
                error::io("creating the folder", error).context("path", path.display())
            })?;
            let storage: Arc<dyn Storage> = Arc::new(folder);
            let mut running = Running::open(&storage, options, &path)?;
            running.serve(&path);
            Ok(Self::of(running))
        };
        let opened = tokio::task::spawn_blocking(open).await;
        opened.map_err(|_| error::closed())?
    }

    /// Opens a broker on any storage; blocks on it. `name` is what errors call it.
    ///
    /// # Errors
    /// As for [`open_with`](Self::open_with).
    pub fn open_on(
        storage: &Arc<dyn Storage>,
        options: BrokerOptions,
        name: impl Into<PathBuf>,
    ) -> Result<Self> {
        Running::open(storage, options, &name.into()).map(Self::of)
    }

    fn of(running: Running) -> Self {
        Self {
            shared: running.shared.clone(),
            running: Arc::new(Mutex::new(Some(running))),
        }
    }

    /// The same broker for somebody who does not keep it open.
    pub(crate) fn view(shared: &Arc<Shared>) -> Self {
        Self {
            shared: shared.clone(),
            running: Arc::default(),
        }
    }

    /// Writes what is on its way, then gives the folder back.
    ///
    /// Subscriptions and publications end with [`ErrorKind::Closed`](mq_core::error::ErrorKind::Closed).
    ///
    /// # Errors
    /// The disk has failed: what was confirmed before is still there.
    pub async fn close(&self) -> Result<()> {
        let running = self.running.clone();
        let close = move || {
            let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(running) = running.as_mut() {
                running.close(true);
            }
        };
        tokio::task::spawn_blocking(close)
            .await
            .map_err(|_| error::closed())?;
        match self.shared.failure() {
            Some(reason) => Err(error::poisoned(reason)),
            None => Ok(()),
        }
    }

    /// Whether the broker works.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self) -> Result<()> {
        self.shared.check()
    }

    /// How much room the disk has, as the broker looked at it last: once a second, and every 4 MiB that it writes.
    #[must_use]
    pub fn disk_room(&self) -> DiskRoom {
        self.shared.room.level()
    }

    /// Free bytes of the disk, as the broker looked at it last, if it has by now.
    #[must_use]
    pub fn disk_free(&self) -> Option<u64> {
        self.shared.room.free()
    }

    /// Creates a destination, unless it is there.
    ///
    /// # Errors
    /// The name or the options are not possible, or the broker does not work.
    pub async fn create(&self, name: &str, options: &DestinationOptions) -> Result<()> {
        self.shared.check()?;
        self.shared.create(name, options).await.map(drop)
    }

    /// Publishes messages in order; each result says where the message was stored, once it is as durable as the destination wants.
    ///
    /// A message may name another destination. When the future is dropped, any of the messages may have been stored.
    pub async fn publish(&self, destination: &str, messages: &[Message]) -> Vec<Result<Receipt>> {
        self.shared.publish(destination, messages, None).await
    }

    /// Publishes messages to the destinations that they name, all of them or none.
    ///
    /// Together they have at most three quarters of a segment.
    /// When the future is dropped, either all of them or none are stored.
    ///
    /// ```
    /// # use mq_broker::Broker;
    /// # use mq_core::message::Message;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let broker = Broker::open(folder.path()).await?;
    /// let order = Message::new("A1").destination("orders");
    /// let notice = Message::new("A1 was ordered").destination("notices");
    /// let stored = broker.publish_all(&[order, notice]).await?;
    /// assert_eq!(stored.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Nothing was stored: a message names no destination, is refused, or the broker does not work.
    pub async fn publish_all(&self, messages: &[Message]) -> Result<Vec<Receipt>> {
        let mut routed = Vec::with_capacity(messages.len());
        for message in messages {
            let name = message.properties().destination.as_deref();
            let name = name.ok_or_else(no_target)?;
            routed.push((self.shared.route(name).await?, message.clone()));
        }
        let durability = crate::options::Durability::Os;
        let checks = crate::engine::Checks::Limits;
        self.shared
            .publish_with(&routed, &[], durability, checks, || {})
            .await
    }

    /// Subscribes.
    ///
    /// # Errors
    /// A destination is missing and must not be created, or the broker does not work.
    pub async fn subscribe(&self, subscribe: &Subscribe) -> Result<Subscription> {
        Subscription::open(&self.shared, subscribe).await
    }
}

pub(crate) fn no_target() -> mq_core::error::Error {
    error::config(
        "a message of a transaction names no destination; set one with `Message::destination`",
    )
}
