//! What a subscription is to read.

use std::{sync::Arc, time::Duration};

use mq_core::policy::Start;

use crate::options::GroupMode;

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
///     .window_bytes(8 << 20)
///     .lease(Duration::from_secs(30));
/// # let _ = wanted;
/// ```
#[derive(Clone, Debug)]
pub struct Subscribe {
    pub(crate) destinations: Vec<Arc<str>>,
    pub(crate) group: Option<String>,
    pub(crate) start: Start,
    pub(crate) window: usize,
    pub(crate) window_bytes: Option<u64>,
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
            window_bytes: None,
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

    /// At most so many bytes are unsettled at a time, besides the limit in messages; without a limit by default.
    ///
    /// Counts payload, key and headers, and about 80 bytes for each message. A message that is larger by itself comes alone, when
    /// everything else is settled.
    #[must_use]
    pub fn window_bytes(mut self, bytes: u64) -> Self {
        self.window_bytes = Some(bytes);
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
