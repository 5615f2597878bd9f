//! The embedded, durable broker of `mq`: a folder of files inside the service's own process.
//!
//! It is a library of its own ([`Broker`]), and a binder of the framework ([`BrokerBinder`], `kind = "broker"`).
//!
//! A message is on the disk before its publication is confirmed, and an acknowledgement before it is answered.
//! Many tasks share one write and one sync (*group commit*); there is no timer in that path.
//! The journal is the only truth: destinations, groups, attempts, delays and dead letters are functions of it, and the same code
//! computes them live and after a crash.
//!
//! ```
//! use mq_broker::{Broker, Subscribe};
//! use mq_core::message::Message;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path();
//! let broker = Broker::open(path).await?;
//! for stored in broker.publish("images", &[Message::new("resize cat.png")]).await {
//!     stored?;
//! }
//!
//! let mut workers = broker.subscribe(&Subscribe::to("images").group("workers")).await?;
//! for job in workers.receive(10).await? {
//!     assert_eq!(job.message().as_bytes(), b"resize cat.png");
//!     job.ack().await?;
//! }
//! broker.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! | to | call |
//! |---|---|
//! | open and close a folder | [`Broker::open`], [`Broker::open_with`], [`Broker::close`] |
//! | publish | [`Broker::publish`], all or nothing: [`Broker::publish_all`], once: [`Broker::publisher`] |
//! | read | [`Broker::subscribe`] with a [`Subscribe`], [`Subscription::receive`] |
//! | settle | [`Delivered::ack`], [`Delivered::release`], [`Delivered::dead_letter`], [`Delivered::extend`] |
//! | publish and acknowledge in one step | [`Subscription::commit`] |
//! | look after it | [`Broker::lag`], [`Broker::browse`], [`Broker::seek`], [`Broker::purge`] and others of [`Broker`] |
//!
//! A folder has one process at a time. There is no cluster, and no protocol for messages; other processes can look at
//! it through a socket ([`Remote`]).
//! Threads of its own write the journal and keep the files; it needs no runtime but what its async calls are polled on, and that must
//! be tokio's, with time enabled.

mod binder;
mod broker;
mod engine;
mod error;
mod format;
#[cfg(test)]
mod fuzz;
mod inspect;
mod journal;
mod options;
mod record;
mod socket;
mod state;
pub mod storage;
mod subscription;
mod time;

pub use binder::{BrokerBinder, BrokerFactory, BrokerSettings, FACTORY};
pub use broker::{Broker, Browsed, Publisher, PublisherInfo, Subscribe};
pub use engine::DiskRoom;
pub use options::{BrokerOptions, DestinationOptions, Durability, Expired, Full, GroupMode};
pub use socket::{ReadFrom, Remote, Request};
pub use subscription::{Delivered, Subscription};
pub use time::{SystemTimeSource, TimeSource};
