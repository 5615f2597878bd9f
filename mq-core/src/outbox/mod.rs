//! The transactional outbox: what is to be published is written first, in the database transaction of the effect that it tells
//! of, and published by a [`Relay`] afterwards.
//!
//! # How a database keeps it
//! - *Rows*: number (sequence, identity), partition and order key (numbers, from [`OrderKey`]), output, message, attempts, due
//!   time, state (waiting, parked, published). Numbers have gaps and commit out of order; the relay has no cursor but asks for
//!   waiting rows, through an index over waiting rows only: `(output, partition, number)`.
//! - *Partitions*: one row each with fence, holder and end of lease; relays: one row each with end of life. A
//!   [lease call](OutboxStore::lease) is one short transaction over both.
//! - *Marking*: one statement for a batch, which joins the partitions on the fences that the caller brings, and then asks which
//!   of these fences are old. A relay that was fenced changes nothing.
//! - *Parking*: a row in a table of parked keys and the state of the key's waiting rows, in one transaction. Rows that are
//!   appended to a parked key later are found by the fetch, which sets them aside.
//! - *Appending* in a user's transaction is one multi-row insert; it touches neither partitions nor parked keys, so it waits for
//!   nobody.
//!
//! The decision record `idempotency-and-outbox` has the details for each database.

mod key;
mod lease;
mod memory;
mod message;
mod publisher;
mod relay;
mod row;
mod store;
mod wake;

pub use key::OrderKey;
pub use lease::{Leases, PartitionLease, RelayId, fair_share};
pub use memory::{MemoryOutbox, MemoryOutboxTransaction};
pub use message::OutboxMessage;
pub use publisher::OutboxPublisher;
pub use relay::{Pipeline, Relay, RelayEnd, RelayMonitor, RelayOptions, RelayStatus};
pub use row::{OutboxRow, OutboxStats, ParkedKey, RowFailure, RowId, Unpark};
pub use store::{Fetch, OutboxStore};
pub use wake::WakeUp;
