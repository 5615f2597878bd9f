//! What a broker can do, declared by its binder and checked at start.

use std::{fmt, time::Duration};

use super::letter::dead_letters;

/// How a broker is told that messages are done with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SettlementStyle {
    /// Each message by itself, in any order (AMQP delivery tags, the project's own broker).
    #[default]
    PerMessage,
    /// Up to a position of a lane (Kafka): the framework keeps track and sends [`Action::Commit`](super::Action::Commit) only.
    Positional,
}

/// How much the broker records about attempts and due times of messages that are held or released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryState {
    /// Nothing: after a restart the attempts of a message begin again.
    #[default]
    None,
    /// As much as fits beside a committed position, in bytes for each lane (Kafka's commit metadata).
    Bounded(usize),
    /// Everything, for each message.
    Full,
}

/// How the framework calls the destinations that it makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Naming {
    /// Dead letters go to `<destination>.<group>.dlq`.
    #[default]
    Mq,
    /// Dead letters go to `error.<destination>.<group>`, as with Spring Cloud Stream on Kafka.
    Spring,
}

impl Naming {
    /// Where the dead letters of a group go, unless its consumer says otherwise; `None` is an anonymous group.
    #[must_use]
    pub fn dead_letters(self, destination: &str, group: Option<&str>) -> String {
        match (self, group) {
            (Self::Mq, group) => dead_letters(destination, group),
            (Self::Spring, Some(group)) => format!("error.{destination}.{group}"),
            (Self::Spring, None) => format!("error.{destination}"),
        }
    }
}

/// Something that a broker may or may not be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Messages survive a restart of the broker.
    Durable,
    /// Destinations have partitions, and a key chooses one.
    Partitions,
    /// Messages of one key are delivered one after the other, through redelivery too.
    KeyOrder,
    /// A group that only sees new messages and leaves nothing behind.
    AnonymousGroups,
    /// [`Action::Release`](super::Action::Release) can carry a delay that the broker keeps.
    DelayedRedelivery,
    /// A message can carry the time before which it is not delivered.
    DelayedDelivery,
    /// [`Action::DeadLetter`](super::Action::DeadLetter): the broker moves the message by itself.
    DeadLetter,
    /// The broker counts deliveries.
    DeliveryCount,
    /// The deadline of a single message can be extended.
    Extend,
    /// Outputs and settlements in one atomic call.
    Transactions,
    /// Reading can be moved to a position or time.
    Seek,
    /// A filter that the broker applies.
    Filter,
    /// Messages have a priority.
    Priority,
    /// Messages can expire.
    Expiry,
    /// Every message has an id that redelivery keeps.
    StableIds,
    /// Messages can be looked at without consuming them.
    Browse,
    /// The number of messages that a group has before it is known.
    Lag,
}

/// What a binder instance can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// How messages are settled.
    pub settlement: SettlementStyle,
    /// What is recorded about attempts.
    pub retry_state: RetryState,
    /// The largest payload with key and headers, in bytes.
    pub max_message: Option<u64>,
    /// How long a message may stay unsettled before the broker takes it back or closes the consumer.
    pub max_unsettled: Option<Duration>,
    /// How the framework calls the destinations that it makes there.
    pub naming: Naming,
    declared: Vec<Capability>,
}

impl Capabilities {
    /// Nothing but publish, subscribe and settle.
    #[must_use]
    pub fn new(settlement: SettlementStyle) -> Self {
        Self {
            settlement,
            ..Self::default()
        }
    }

    /// Declares capabilities.
    #[must_use]
    pub fn with(mut self, capabilities: &[Capability]) -> Self {
        for capability in capabilities {
            if !self.has(*capability) {
                self.declared.push(*capability);
            }
        }
        self
    }

    /// Takes capabilities away.
    #[must_use]
    pub fn without(mut self, capabilities: &[Capability]) -> Self {
        self.declared
            .retain(|declared| !capabilities.contains(declared));
        self
    }

    /// Sets what is recorded about attempts.
    #[must_use]
    pub fn retry_state(mut self, state: RetryState) -> Self {
        self.retry_state = state;
        self
    }

    /// Sets the largest message, in bytes.
    #[must_use]
    pub fn max_message(mut self, bytes: u64) -> Self {
        self.max_message = Some(bytes);
        self
    }

    /// Sets how long a message may stay unsettled.
    #[must_use]
    pub fn max_unsettled(mut self, limit: Duration) -> Self {
        self.max_unsettled = Some(limit);
        self
    }

    /// Sets how the framework calls the destinations that it makes.
    #[must_use]
    pub fn naming(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    /// Whether this is declared.
    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        self.declared.contains(&capability)
    }

    /// Everything that is declared.
    pub fn iter(&self) -> impl Iterator<Item = Capability> {
        self.declared.iter().copied()
    }

    /// Whether messages are settled one by one.
    #[must_use]
    pub fn settles_each(&self) -> bool {
        self.settlement == SettlementStyle::PerMessage
    }
}

impl Capability {
    /// Every capability there is.
    pub const ALL: [Self; 17] = [
        Self::Durable,
        Self::Partitions,
        Self::KeyOrder,
        Self::AnonymousGroups,
        Self::DelayedRedelivery,
        Self::DelayedDelivery,
        Self::DeadLetter,
        Self::DeliveryCount,
        Self::Extend,
        Self::Transactions,
        Self::Seek,
        Self::Filter,
        Self::Priority,
        Self::Expiry,
        Self::StableIds,
        Self::Browse,
        Self::Lag,
    ];

    /// The name as settings and reports show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Partitions => "partitions",
            Self::KeyOrder => "key-order",
            Self::AnonymousGroups => "anonymous-groups",
            Self::DelayedRedelivery => "delayed-redelivery",
            Self::DelayedDelivery => "delayed-delivery",
            Self::DeadLetter => "dead-letter",
            Self::DeliveryCount => "delivery-count",
            Self::Extend => "extend",
            Self::Transactions => "transactions",
            Self::Seek => "seek",
            Self::Filter => "filter",
            Self::Priority => "priority",
            Self::Expiry => "expiry",
            Self::StableIds => "stable-ids",
            Self::Browse => "browse",
            Self::Lag => "lag",
        }
    }

    /// The capability of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|capability| capability.name() == name)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_letters_are_called_as_the_binder_says() {
        let name = |naming: Naming, group| naming.dead_letters("orders", group);
        assert_eq!(name(Naming::Mq, Some("billing")), "orders.billing.dlq");
        assert_eq!(
            name(Naming::Spring, Some("billing")),
            "error.orders.billing"
        );
        assert_eq!(name(Naming::Spring, None), "error.orders");
    }

    #[test]
    fn every_capability_has_a_name_of_its_own() {
        for capability in Capability::ALL {
            assert_eq!(Capability::from_name(capability.name()), Some(capability));
        }
    }
}
