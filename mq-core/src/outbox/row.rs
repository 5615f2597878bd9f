//! Rows of the outbox, as the relay reads and settles them.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use super::{OrderKey, OutboxMessage};

/// The number of a row.
///
/// Drawn when the row is appended, so a row that commits late has a smaller number than rows that are visible already.
/// Where one transaction has to wait for another and appends after that wait, its rows have the larger numbers, and are never
/// visible without those of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u64);

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A row that waits to be published.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// Its number.
    pub id: RowId,
    /// The partition of the key space that it belongs to.
    pub partition: u16,
    /// Within what it is published in order.
    pub key: OrderKey,
    /// The output and the message, which has an id.
    pub message: OutboxMessage,
    /// How often publishing it has failed.
    pub attempts: u32,
    /// How long until it is due again after a failure; zero for most. Judged by the store's clock.
    pub wait: Duration,
    /// When it was appended.
    pub created: SystemTime,
}

/// A row that could not be published.
#[derive(Clone, Debug)]
pub struct RowFailure {
    /// The row.
    pub row: RowId,
    /// How often publishing it has failed, this time included.
    pub attempts: u32,
    /// When it is due again, from now.
    pub after: Duration,
    /// Why it failed, in one line. A store may cut it after [`REASON_LEN`](Self::REASON_LEN) bytes.
    pub reason: String,
}

impl RowFailure {
    /// How many bytes of the reason are kept at least.
    pub const REASON_LEN: usize = 1_000;
}

/// A key whose first row cannot be published: it and what comes after it waits for an operator.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ParkedKey {
    /// The key.
    pub key: OrderKey,
    /// The row that could not be published.
    pub row: RowId,
    /// The output.
    pub output: Arc<str>,
    /// The message's key, where it has one.
    pub message_key: Option<Bytes>,
    /// How often publishing the row has failed.
    pub attempts: u32,
    /// Why it failed the last time.
    pub reason: String,
    /// Since when the key is parked.
    pub since: SystemTime,
    /// How many rows wait, the failed one included.
    pub rows: usize,
}

impl ParkedKey {
    /// A parked key whose first row is `row`, parked at `since` with `rows` rows waiting.
    #[must_use]
    pub fn new(row: &OutboxRow, failure: &RowFailure, since: SystemTime, rows: usize) -> Self {
        Self {
            key: row.key,
            row: row.id,
            output: row.message.output.clone(),
            message_key: row.message.message.as_key().cloned(),
            attempts: failure.attempts,
            reason: failure.reason.clone(),
            since,
            rows,
        }
    }
}

/// What is to become of a parked key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpark {
    /// Publish everything from the failed row on, with its failures forgotten.
    Retry,
    /// Drop the failed row for good and publish what comes after it.
    DropFirst,
}

/// How an outbox is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxStats {
    /// How many rows wait to be published, without the parked ones. An estimate where counting would take long.
    pub rows: usize,
    /// How long the oldest of them has waited.
    pub oldest: Option<Duration>,
    /// The outputs of the rows that wait, those included that no relay knows.
    pub outputs: Vec<Arc<str>>,
    /// How many keys are parked.
    pub parked_keys: usize,
    /// How many rows wait behind parked keys, the failed rows included.
    pub parked_rows: usize,
}
