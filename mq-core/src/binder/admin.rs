//! The administrative part of a binder.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;

use crate::{
    error::{Error, ErrorKind, Result},
    message::Message,
};

/// A destination as the broker knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestinationInfo {
    /// Its name.
    pub name: Arc<str>,
    /// Its partitions, at least 1.
    pub partitions: u32,
    /// Messages that it keeps, where the broker tells.
    pub messages: Option<u64>,
    /// Their bytes, where the broker tells.
    pub bytes: Option<u64>,
    /// Messages that were ever stored, where the broker tells: a source that starts again knows from it how far it had come.
    pub published: Option<u64>,
}

impl DestinationInfo {
    /// With name and partitions.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, partitions: u32) -> Self {
        Self {
            name: name.into(),
            partitions,
            messages: None,
            bytes: None,
            published: None,
        }
    }
}

/// A group of a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupInfo {
    /// Its name.
    pub name: Arc<str>,
    /// Consumers that are in it now; `None` where the broker does not tell.
    pub members: Option<u32>,
}

impl GroupInfo {
    /// With name and members.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, members: u32) -> Self {
        Self {
            name: name.into(),
            members: Some(members),
        }
    }

    /// With name alone: it is not known how many members it has.
    #[must_use]
    pub fn uncounted(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            members: None,
        }
    }
}

/// What a group has before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lag {
    /// Messages that are not settled: waiting, delayed, or in flight.
    pub messages: u64,
    /// The age of the oldest of them.
    pub oldest: Option<Duration>,
}

impl Lag {
    /// With count and age.
    #[must_use]
    pub fn new(messages: u64, oldest: Option<Duration>) -> Self {
        Self { messages, oldest }
    }
}

/// Where browsing goes on; `Cursor::default()` is the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor(pub Vec<u64>);

/// A message that was looked at.
#[derive(Clone, Debug)]
pub struct Browsed {
    /// Its partition.
    pub partition: u32,
    /// Its position there.
    pub position: u64,
    /// The message.
    pub message: Message,
    /// Whether [`Admin::mark_handled`] was called for it.
    pub handled: bool,
}

/// Where a replay or seek begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayFrom {
    /// The earliest message that is still kept.
    Earliest,
    /// After the newest message.
    Latest,
    /// The first message at or after this time.
    Time(SystemTime),
    /// This position of every partition.
    Position(u64),
}

/// Looking after destinations and groups. Every method has a default that reports
/// [`ErrorKind::Unsupported`].
#[async_trait]
pub trait Admin: Send + Sync {
    /// Every destination.
    async fn destinations(&self) -> Result<Vec<DestinationInfo>> {
        Err(unsupported("listing destinations"))
    }

    /// The groups of a destination.
    async fn groups(&self, destination: &str) -> Result<Vec<GroupInfo>> {
        let _ = destination;
        Err(unsupported("listing groups"))
    }

    /// What a group has before it in a destination.
    async fn lag(&self, destination: &str, group: &str) -> Result<Lag> {
        let _ = (destination, group);
        Err(unsupported("lag"))
    }

    /// Looks at up to `max` messages from `cursor` on, and moves it; an empty answer is the end.
    async fn browse(
        &self,
        destination: &str,
        cursor: &mut Cursor,
        max: usize,
    ) -> Result<Vec<Browsed>> {
        let _ = (destination, cursor, max);
        Err(unsupported("browsing"))
    }

    /// Takes a message out of the sight of later replays (a dead letter that was dealt with).
    async fn mark_handled(&self, destination: &str, partition: u32, position: u64) -> Result<()> {
        let _ = (destination, partition, position);
        Err(unsupported("marking messages"))
    }

    /// Removes every message; returns how many.
    async fn purge(&self, destination: &str) -> Result<u64> {
        let _ = destination;
        Err(unsupported("purging"))
    }

    /// Removes a destination with its messages and groups.
    async fn delete(&self, destination: &str) -> Result<()> {
        let _ = destination;
        Err(unsupported("deleting"))
    }

    /// Has a group read again from there on, messages that it has settled included.
    async fn seek(&self, destination: &str, group: &str, from: ReplayFrom) -> Result<()> {
        let _ = (destination, group, from);
        Err(unsupported("seek"))
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("this binder does not support {what}"),
    )
}
