//! What a broker was told to be like, with everything decided.

use std::time::Duration;

use mq_core::binder::{Capabilities, Capability, RetryState, SettlementStyle};

use crate::{
    broker::WISHES,
    config::{Limit, MemorySettings},
};

/// What happens to a message for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Full {
    /// Its publisher waits until there is room.
    #[default]
    Block,
    /// It is refused with a temporary [`ErrorKind::Full`](mq_core::error::ErrorKind::Full).
    Reject,
    /// The oldest message goes, whether or not it was read.
    DropOldest,
}

/// Options with everything decided.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) capabilities: Capabilities,
    pub(crate) partitions: u32,
    pub(crate) limit: Limit,
    pub(crate) full: Full,
    pub(crate) retain: u64,
    /// The largest message, in bytes.
    pub(crate) largest: u64,
    /// How long a consumer may take to give up a lane.
    pub(crate) budget: Duration,
    pub(crate) is_positional: bool,
    pub(crate) keeps_key_order: bool,
    pub(crate) counts_deliveries: bool,
    pub(crate) records_attempts: bool,
    /// Whether there is something that a message may ask for in vain.
    pub(crate) lacks_wishes: bool,
}

impl Options {
    pub(crate) fn new(settings: &MemorySettings, budget: Duration) -> Self {
        let capabilities = settings.capabilities();
        Self {
            partitions: settings.partitions,
            limit: settings.limit,
            full: settings.full,
            retain: settings.retain,
            // What is larger than the limit would wait for ever.
            largest: settings
                .max_message
                .unwrap_or(u64::MAX)
                .min(settings.limit.bytes),
            budget,
            is_positional: capabilities.settlement == SettlementStyle::Positional,
            keeps_key_order: capabilities.has(Capability::KeyOrder),
            counts_deliveries: capabilities.has(Capability::DeliveryCount),
            records_attempts: capabilities.retry_state != RetryState::None,
            lacks_wishes: WISHES.iter().any(|wish| !capabilities.has(*wish)),
            capabilities,
        }
    }

    pub(crate) fn has(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }
}
