//! What a binding asks of a binder.

use std::sync::Arc;

use crate::{config::Node, policy::Start};

/// What is to be read, and as whom.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ConsumerSpec {
    /// The binding's name, for reports.
    pub binding: Arc<str>,
    /// One or more destinations; a group's retry destinations are among them.
    pub destinations: Vec<Arc<str>>,
    /// The group; `None` is anonymous: own copy, only new messages.
    pub group: Option<Arc<str>>,
    /// Where a *new* group begins; an old one goes on where it was.
    pub start: Start,
    /// A filter in the broker's own language, where it has [`Capability::Filter`](super::Capability::Filter).
    pub filter: Option<String>,
    /// At most this many messages are unsettled at a time.
    pub window: usize,
    /// At most this many bytes of a payload are accepted; larger messages are handed over without their payload being split,
    /// and the framework dead-letters them.
    pub max_payload: Option<u64>,
    /// Options of the client library, from the binding's `native` table.
    pub native: Node,
}

impl ConsumerSpec {
    /// Reads `destination` as `group` from the earliest message.
    #[must_use]
    pub fn new(destination: impl Into<Arc<str>>, group: Option<&str>) -> Self {
        let destination = destination.into();
        Self {
            binding: destination.clone(),
            destinations: vec![destination],
            group: group.map(Into::into),
            start: Start::Earliest,
            filter: None,
            window: 10_000,
            max_payload: None,
            native: Node::default(),
        }
    }
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProducerSpec {
    /// The binding's name, for reports.
    pub binding: Arc<str>,
    /// Where messages go that name no destination themselves.
    pub destination: Arc<str>,
    /// Options of the client library, from the binding's `native` table.
    pub native: Node,
}

impl ProducerSpec {
    /// Writes to `destination`.
    #[must_use]
    pub fn new(destination: impl Into<Arc<str>>) -> Self {
        let destination = destination.into();
        Self {
            binding: destination.clone(),
            destination,
            native: Node::default(),
        }
    }
}
