//! A binder from code.

use std::time::Duration;

use mq_core::{
    binder::{Capability, RetryState},
    clock::Clock,
    error::Result,
};

use crate::{
    binder::MemoryBinder,
    config::{Limit, MemorySettings},
    options::Full,
};

/// How long a consumer may take by default to give up a lane.
pub(crate) const BUDGET: Duration = Duration::from_secs(5);

/// Makes a [`MemoryBinder`] with a broker of its own.
///
/// ```
/// use mq_core::binder::Capability;
/// use mq_memory::MemoryBinder;
///
/// let binder = MemoryBinder::builder().partitions(4).without(&[Capability::DelayedRedelivery]).build()?;
/// # Ok::<(), mq_core::error::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct MemoryBuilder {
    settings: MemorySettings,
    clock: Clock,
    budget: Duration,
}

impl MemoryBuilder {
    /// Begins with these settings, on the system's clock.
    pub fn new(settings: MemorySettings) -> Self {
        Self {
            settings,
            clock: Clock::system(),
            budget: BUDGET,
        }
    }

    /// The partitions of a destination for which nobody asks for another number; 1 by default.
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.settings.partitions = partitions;
        self
    }

    /// How much a destination keeps; 1,000,000 messages and 1 GiB by default.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.settings.limit = limit;
        self
    }

    /// What happens to a message for which there is no room; by default its publisher waits.
    pub fn full(mut self, full: Full) -> Self {
        self.settings.full = full;
        self
    }

    /// How many settled messages a destination keeps for replays; 10,000 by default.
    pub fn retain(mut self, messages: u64) -> Self {
        self.settings.retain = messages;
        self
    }

    /// The largest message with key and headers, in bytes; by default the destination's limit.
    pub fn max_message(mut self, bytes: u64) -> Self {
        self.settings.max_message = Some(bytes);
        self
    }

    /// Switches capabilities off.
    pub fn without(mut self, capabilities: &[Capability]) -> Self {
        self.settings.without.extend_from_slice(capabilities);
        self
    }

    /// Settles by position, lane by lane, instead of message by message.
    pub fn positional(mut self) -> Self {
        self.settings.positional = true;
        self
    }

    /// What is recorded about attempts; everything by default.
    pub fn retry_state(mut self, state: RetryState) -> Self {
        self.settings.retry_state = state;
        self
    }

    /// The clock for delays and times; the system's by default.
    ///
    /// With a clock that starts at a fixed time, a test that pauses and advances tokio's time decides what is due when.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How long a consumer may take to give up a lane that another one is to have (positional style only); 5 s by default.
    pub fn revoke_budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// Makes the binder.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](mq_core::error::ErrorKind::Config): settings are out of range or contradict each other; all are named.
    pub fn build(self) -> Result<MemoryBinder> {
        Ok(MemoryBinder::with(
            self.settings.options(self.budget)?,
            self.clock,
        ))
    }
}

impl Default for MemoryBuilder {
    fn default() -> Self {
        Self::new(MemorySettings::default())
    }
}
