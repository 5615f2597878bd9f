//! The broker as a library.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mq_core::{
    binder::{Cursor, DestinationInfo, Drift, GroupInfo, Lag, Receipt, ReplayFrom},
    error::Result,
    message::Message,
    policy::Start,
};

use crate::{
    engine::{Running, Shared},
    error,
    options::{BrokerOptions, DestinationOptions, GroupMode},
    record::Change,
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
    running: Arc<Mutex<Running>>,
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

/// What is to be read, and as whom.
///
/// ```
/// use std::time::Duration;
/// use mq_broker::Subscribe;
///
/// let wanted = Subscribe::to("orders")
///     .and("returns")
///     .group("billing")
///     .window(100)
///     .lease(Duration::from_secs(30));
/// # let _ = wanted;
/// ```
#[derive(Clone, Debug)]
pub struct Subscribe {
    pub(crate) destinations: Vec<Arc<str>>,
    pub(crate) group: Option<String>,
    pub(crate) start: Start,
    pub(crate) window: usize,
    pub(crate) lease: Option<Duration>,
    pub(crate) mode: Option<GroupMode>,
}

impl Subscribe {
    /// Reads new messages of a destination, as a group of its own that leaves nothing behind.
    #[must_use]
    pub fn to(destination: impl Into<Arc<str>>) -> Self {
        Self {
            destinations: vec![destination.into()],
            group: None,
            start: Start::Latest,
            window: 10_000,
            lease: None,
            mode: None,
        }
    }

    /// Reads another destination as well.
    #[must_use]
    pub fn and(mut self, destination: impl Into<Arc<str>>) -> Self {
        self.destinations.push(destination.into());
        self
    }

    /// Reads as a member of this group: each message goes to one of its members, and a new group begins with the earliest message.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self.start = Start::Earliest;
        self
    }

    /// How the group hands out: a new group gets this mode ([`Key`](GroupMode::Key) by default), and an old one must have it.
    #[must_use]
    pub fn mode(mut self, mode: GroupMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Where a new group begins; to be said after [`group`](Self::group), which sets it to the earliest message.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// At most so many messages are unsettled at a time; 10,000 by default.
    #[must_use]
    pub fn window(mut self, messages: usize) -> Self {
        self.window = messages;
        self
    }

    /// A message that is not settled within this time is handed out again, as soon as a member of the group receives; by default it stays
    /// until the subscription ends. [`Delivered::extend`](crate::Delivered::extend) moves the end.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }
}

impl Broker {
    /// Opens the folder, which is created where it is missing, with the default options.
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
            Self::open_on(&(Arc::new(folder) as Arc<dyn Storage>), options, path)
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
        let running = Running::open(storage, options, &name.into())?;
        Ok(Self {
            shared: running.shared.clone(),
            running: Arc::new(Mutex::new(running)),
        })
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
            running.close(true);
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

    /// A publisher that numbers its messages, so that a repetition is stored once.
    ///
    /// Its name and its highest number are kept for good.
    ///
    /// # Errors
    /// The broker does not work.
    pub async fn publisher(&self, name: &str) -> Result<Publisher> {
        let next = {
            let state = self.shared.lock();
            let ids = state.publishers.values().map(|publisher| publisher.id);
            ids.max().unwrap_or(0) + 1
        };
        if !self.shared.lock().publishers.contains_key(name) {
            let (id, name) = (next, name.to_owned());
            self.shared.change(&[Change::Producer { id, name }]).await?;
        }
        let found = self.shared.lock().publishers.get(name).cloned();
        let found = found.ok_or_else(|| error::bug("a publisher is gone"))?;
        Ok(Publisher {
            shared: self.shared.clone(),
            name: name.to_owned(),
            id: found.id,
        })
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

/// A publisher that numbers its messages.
///
/// ```
/// use mq_broker::Broker;
/// use mq_core::message::Message;
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
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    name: String,
    id: u64,
}

impl Publisher {
    /// The highest number that was stored; 0 is none. Survives restarts.
    #[must_use]
    pub fn last(&self) -> u64 {
        let state = self.shared.lock();
        state
            .publishers
            .get(&self.name)
            .map_or(0, |found| found.last)
    }

    /// Publishes messages with the numbers from `first` (1 or more) on; numbers that were stored before are confirmed and not stored again.
    ///
    /// After an unknown outcome (a lost reply, a crash) the same call is simply repeated.
    /// Numbers only rise, and there is one call at a time for each publisher: a number behind which a higher one is stored counts as stored.
    /// So when a message is refused, every later one of the call is refused too, temporarily.
    pub async fn publish(
        &self,
        destination: &str,
        first: u64,
        messages: &[Message],
    ) -> Vec<Result<Receipt>> {
        let numbers = Some((self.id, first.max(1)));
        self.shared.publish(destination, messages, numbers).await
    }
}

/// Administration.
impl Broker {
    /// Every destination.
    #[must_use]
    pub fn destinations(&self) -> Vec<DestinationInfo> {
        self.shared.lock().list()
    }

    /// Gives a destination other options.
    ///
    /// Limits, retention and policies hold at once; what is stored beyond a smaller limit stays, unless the policy is to drop it.
    /// Partitions can be added while no message with a key is unsettled, and publishers wait meanwhile; a key may be in another
    /// partition from then on. They cannot be taken away, and a destination cannot move into or out of memory.
    ///
    /// When the future is dropped, the options may have been changed.
    ///
    /// # Errors
    /// There is no such destination, the change is not possible (not yet: temporary), or the broker does not work.
    pub async fn change(&self, name: &str, options: &DestinationOptions) -> Result<()> {
        self.shared.change_options(name, options).await
    }

    /// In what a destination differs from these options; nothing if it is like them.
    ///
    /// # Errors
    /// There is no such destination.
    pub fn differences(&self, name: &str, options: &DestinationOptions) -> Result<Vec<Drift>> {
        let found = self.destination(name);
        let found = found.ok_or_else(|| error::no_destination(name))?;
        Ok(options.differences(name, &found))
    }

    /// What a destination is like, if it is there.
    #[must_use]
    pub fn destination(&self, name: &str) -> Option<DestinationOptions> {
        Some(self.shared.lock().route(name)?.options.clone())
    }

    /// The groups of a destination that have a name.
    ///
    /// # Errors
    /// There is no such destination.
    pub fn groups(&self, destination: &str) -> Result<Vec<GroupInfo>> {
        let state = self.shared.lock();
        let (_, found) = known(&state, destination)?;
        Ok(found.list_groups())
    }

    /// Creates a group that begins with the earliest message, unless it is there.
    ///
    /// # Errors
    /// The broker does not work.
    pub async fn create_group(&self, destination: &str, group: &str) -> Result<()> {
        self.create_group_as(destination, group, GroupMode::default())
            .await
    }

    /// The same, in this mode; a group that is there keeps its mode.
    ///
    /// # Errors
    /// The broker does not work.
    pub async fn create_group_as(
        &self,
        destination: &str,
        group: &str,
        mode: GroupMode,
    ) -> Result<()> {
        let route = self.shared.route(destination).await?;
        self.shared
            .group(route.id, group, Start::Earliest, Some(mode))
            .await
            .map(drop)
    }

    /// How a group hands out.
    ///
    /// # Errors
    /// There is no such destination or group.
    pub fn group_mode(&self, destination: &str, group: &str) -> Result<GroupMode> {
        let state = self.shared.lock();
        let (_, found) = known(&state, destination)?;
        found
            .mode(group)
            .ok_or_else(|| error::no_group(destination, group))
    }

    /// Changes how a group hands out.
    ///
    /// What it has settled stays settled; only a group that becomes a [`Log`](GroupMode::Log) begins with the first message that is
    /// not settled. Its subscriptions end with a temporary error: what they have is handed out again.
    ///
    /// # Errors
    /// There is no such destination or group, or the broker does not work.
    pub async fn change_group(
        &self,
        destination: &str,
        group: &str,
        mode: GroupMode,
    ) -> Result<()> {
        let change = {
            let state = self.shared.lock();
            let (id, found) = known(&state, destination)?;
            let number = found.group(group);
            Change::Mode {
                destination: id,
                group: number.ok_or_else(|| error::no_group(destination, group))?,
                mode,
            }
        };
        self.shared.change(&[change]).await
    }

    /// How much a group has before it.
    ///
    /// # Errors
    /// There is no such destination or group.
    pub fn lag(&self, destination: &str, group: &str) -> Result<Lag> {
        let state = self.shared.lock();
        let (_, found) = known(&state, destination)?;
        found
            .lag(group, self.shared.clock.now())
            .ok_or_else(|| error::no_group(destination, group))
    }

    /// Looks at up to `max` kept messages from a cursor on, without consuming them; an empty cursor is the beginning.
    ///
    /// # Errors
    /// There is no such destination, or a message cannot be read.
    pub async fn browse(
        &self,
        destination: &str,
        cursor: &mut Cursor,
        max: usize,
    ) -> Result<Vec<Browsed>> {
        let peeks = {
            let state = self.shared.lock();
            known(&state, destination)?.1.peek(cursor, max)
        };
        let mut browsed = Vec::with_capacity(peeks.len());
        for peek in peeks {
            let message = self.shared.message(&peek.pick).await;
            let position = peek.pick.position;
            if !self.is_kept(destination, peek.partition, position) {
                // It went while it was read.
                continue;
            }
            browsed.push(Browsed {
                partition: peek.partition,
                position,
                message: message?,
                handled: peek.handled,
            });
        }
        Ok(browsed)
    }

    fn is_kept(&self, destination: &str, partition: u32, position: u64) -> bool {
        let state = self.shared.lock();
        let found = state.destination(destination);
        found.is_some_and(|(_, found)| found.entry(partition, position).is_some())
    }

    /// Marks a message as handled: no group gets it any more.
    ///
    /// # Errors
    /// There is no such message.
    pub async fn mark_handled(
        &self,
        destination: &str,
        partition: u32,
        position: u64,
    ) -> Result<()> {
        let id = {
            let state = self.shared.lock();
            let (id, found) = known(&state, destination)?;
            let entry = found.entry(partition, position);
            entry.ok_or_else(|| error::no_message(destination, partition, position))?;
            id
        };
        let change = Change::Handled {
            destination: id,
            partition,
            position,
        };
        self.shared.change(&[change]).await
    }

    /// Cancels a message that is not delivered yet, for example a delayed one; the same as [`mark_handled`](Self::mark_handled).
    ///
    /// # Errors
    /// There is no such message.
    pub async fn cancel(&self, destination: &str, partition: u32, position: u64) -> Result<()> {
        self.mark_handled(destination, partition, position).await
    }

    /// Removes every message of a destination; returns how many.
    ///
    /// # Errors
    /// There is no such destination, or the broker does not work.
    pub async fn purge(&self, destination: &str) -> Result<u64> {
        let (change, count) = {
            let state = self.shared.lock();
            known(&state, destination)?.1.purge()
        };
        self.shared.change(&[change]).await?;
        Ok(count)
    }

    /// Removes a destination with its messages and groups.
    ///
    /// # Errors
    /// There is no such destination, or the broker does not work.
    pub async fn delete(&self, destination: &str) -> Result<()> {
        let id = {
            let state = self.shared.lock();
            known(&state, destination)?.0
        };
        self.shared.forget_route(destination);
        let deleted = self
            .shared
            .change(&[Change::Delete { destination: id }])
            .await;
        self.shared.forget_route(destination);
        deleted
    }

    /// Moves a group to another place; what its members have stays with them.
    ///
    /// # Errors
    /// There is no such destination or group, or the broker does not work.
    pub async fn seek(&self, destination: &str, group: &str, from: ReplayFrom) -> Result<()> {
        let from = match from {
            ReplayFrom::Time(time) => ReplayFrom::Time(self.shared.clock.of(time)),
            other => other,
        };
        let change = {
            let state = self.shared.lock();
            let (_, found) = known(&state, destination)?;
            found
                .seek(group, from)
                .ok_or_else(|| error::no_group(destination, group))?
        };
        self.shared.change(&[change]).await
    }
}

fn known<'a>(
    state: &'a crate::state::State,
    name: &str,
) -> Result<(u32, &'a crate::state::Destination)> {
    state
        .destination(name)
        .ok_or_else(|| error::no_destination(name))
}
