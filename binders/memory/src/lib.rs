//! `mq-memory`: the reference binder of `mq`.
//!
//! A broker in this process's memory, for tests and for programs that need none.
//! It has every capability but durability, and does nothing by itself: no task, no timer, no randomness.
//! On a virtual clock, under tokio's paused time, a run is the same each time.
//!
//! # Example
//! ```
//! use mq_core::{
//!     binder::{Action, Binder, ConsumerSpec, Event, ProducerSpec, Settlement},
//!     message::Message,
//! };
//! use mq_memory::MemoryBinder;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mq_core::error::Result<()> {
//! let binder = MemoryBinder::new();
//! let producer = binder.producer(&ProducerSpec::new("orders")).await?;
//! for stored in producer.publish(&[Message::new("one"), Message::new("two")]).await {
//!     stored?;
//! }
//!
//! let mut consumer = binder.consumer(&ConsumerSpec::new("orders", Some("billing"))).await?;
//! let mut records = Vec::new();
//! // The first event says what is read; then come the messages.
//! assert!(matches!(consumer.receive(&mut records, 10).await?, Event::Assigned(_)));
//! assert!(matches!(consumer.receive(&mut records, 10).await?, Event::Messages));
//! assert_eq!(records[1].message.as_bytes(), b"two");
//!
//! let done: Vec<_> = records
//!     .iter()
//!     .map(|record| Settlement {
//!         lane: record.lane,
//!         position: record.position,
//!         epoch: record.epoch,
//!         action: Action::Ack,
//!     })
//!     .collect();
//! assert!(consumer.settler().settle(&done).await?.is_empty());
//! assert_eq!(binder.admin().lag("orders", "billing").await?.messages, 0);
//! # Ok(())
//! # }
//! ```
//!
//! # Options
//! Of an instance, in the settings under `[binders.<name>]` with `kind = "memory"`, or on a [`MemoryBuilder`]:
//!
//! | setting | values | default | says |
//! |---|---|---|---|
//! | `partitions` | 1 to 4,096 | 1 | partitions of a destination for which nobody asks for another number |
//! | `limit.messages` | 1 or more | 1,000,000 | messages that a destination keeps |
//! | `limit.bytes` | 1 or more, `"64MiB"` | 1 GiB | bytes of payloads, keys and headers that it keeps |
//! | `full` | `block`, `reject`, `drop_oldest` | `block` | what happens to a message for which there is no room |
//! | `retain` | messages | 10,000 | settled messages that a destination keeps for replays |
//! | `max_message` | bytes, `"1MB"` | `limit.bytes` | the largest message with key and headers |
//! | `without` | names of capabilities | none | capabilities that are switched off, to be like a weaker broker |
//! | `positional` | true, false | false | settles by position, lane by lane, as Kafka does |
//! | `retry_state` | `full`, `none`, bytes | `full` | what is recorded about attempts; bytes for each lane only where `positional` |
//!
//! Only from code: [`clock`](MemoryBuilder::clock) (the system's) and
//! [`revoke_budget`](MemoryBuilder::revoke_budget) (5 s).
//!
//! Of a consumer, beside what every binder has:
//!
//! | option | values | default | says |
//! |---|---|---|---|
//! | `filter` | `headers['type'] == 'refund'`, `type != refund` | none | one header compared with one text |
//! | `native.dead_letter` | a destination | `<destination>.<group>.dlq` | where the broker moves dead letters |
//!
//! # What it decides where brokers differ
//! - A destination comes into being with its first use. Without a group it keeps everything within its limit, then blocks.
//! - Messages of a key have one turn in each partition and group; a delayed or held one keeps the others of its key waiting.
//!   A message that waits for its own `deliver_at` has not begun its turn, and keeps nobody waiting.
//! - A higher priority goes first, before order within a key too.
//! - Expired messages are handed over with their time: the framework decides what becomes of them.
//! - All consumers of a group have the same filter. What it does not accept is settled by being passed over.
//! - A move of a group, by `seek` or a replay, leaves with consumers what they have.
//! - In the positional style partitions are shared out in even ranges; who is to give one up has the revoke budget for it.
//!
//! # Trouble on demand
//! [`MemoryBinder::faults`] refuses publications, withholds confirmations, fails settlements, loses acknowledgements, slows calls
//! down, cuts the connection, and takes lanes away; [`MemoryBinder::reopened`] is what a restarted program finds.

mod admin;
mod binder;
mod broker;
mod builder;
mod config;
mod consumer;
mod error;
mod factory;
mod faults;
mod filter;
mod native;
mod options;
mod producer;
mod session;
mod settler;
mod transaction;

pub use binder::MemoryBinder;
pub use builder::MemoryBuilder;
pub use config::{Limit, MemorySettings};
pub use factory::{FACTORY, MemoryFactory};
pub use faults::{Faults, Refusal};
pub use options::Full;
