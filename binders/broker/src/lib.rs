//! The embedded, durable broker of `mq`: a folder of files inside the service's own process.
//!
//! It is a library of its own ([`Broker`]), and a binder of the framework ([`BrokerBinder`], `kind = "broker"`).
//!
//! A message is on the disk before its publication is confirmed, and an acknowledgement before it is answered.
//! Many tasks share one write and one sync (*group commit*); there is no timer in that path.
//! The journal is the only truth: destinations, groups, attempts, delays and dead letters are functions of it, and the same code
//! computes them live and after a crash.

mod binder;
mod broker;
mod engine;
mod error;
mod inspect;
mod journal;
mod options;
mod record;
mod state;
pub mod storage;
mod subscription;

pub use binder::{BrokerBinder, BrokerFactory, BrokerSettings, FACTORY};
pub use broker::{Broker, Browsed, Publisher, Subscribe};
pub use options::{BrokerOptions, DestinationOptions, Durability, Full};
pub use subscription::{Delivered, Subscription};
