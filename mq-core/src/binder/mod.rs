//! The contract between the framework and a broker.
//!
//! A *binder* adapts one kind of broker.
//! Its author writes [`Binder`], [`Consumer`] with its [`Settler`], [`Producer`], and as much of [`Admin`] as the broker has; the
//! conformance suite says whether it is right.
//!
//! # Rules
//! 1. A binder never retries and never drops: it reports, and the policies of the framework decide.
//! 2. One call carries a batch. No call is made per message.
//! 3. Errors are classified once, in the binder, as temporary, permanent or fatal.
//! 4. Not receiving for minutes is harmless: a binder keeps its membership and its leases alive by itself.
//! 5. Every task that a binder starts ends with [`Binder::close`].

mod admin;
mod batch;
mod capabilities;
mod consumer;
mod deliveries;
mod delivery;
mod factory;
mod lanes;
pub mod letter;
mod outputs;
mod positions;
mod producer;
mod provision;
mod settlement;
mod spec;
pub mod varint;

pub use admin::{Admin, Browsed, Cursor, DestinationInfo, GroupInfo, Lag, ReplayFrom};
pub use batch::Batch;
pub(crate) use batch::Turn;
pub use capabilities::{Capabilities, Capability, Naming, RetryState, SettlementStyle};
pub use consumer::{Consumer, Event, Receipts, Record, Settler, Transaction};
pub use deliveries::Deliveries;
pub use delivery::Delivery;
pub use factory::{BinderContext, BinderFactory, Connector};
pub use lanes::{AssignedLane, Lane, LaneId, Lanes};
pub(crate) use outputs::Staging;
pub use outputs::{OutputIndex, OutputRange, Staged};
pub use positions::Positions;
pub use producer::{Producer, Receipt};
pub use provision::{DestinationPlan, Drift, ProvisionReport};
pub use settlement::{Action, SettleError, Settlement, Unsettled};
pub use spec::{ConsumerSpec, ProducerSpec};

use std::sync::Arc;

use async_trait::async_trait;

use crate::{error::Result, policy::Provision};

/// How well a binder instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Connected and working.
    Up,
    /// Working, with this restriction.
    Degraded(String),
    /// Not working, for this reason.
    Down(String),
}

/// A configured connection to one broker: a *binder instance*.
///
/// Called by the framework from many tasks at once.
/// The order is: `provision` once, then `consumer` and `producer` as bindings start, `close` at the end.
/// All producers of an instance share its connections.
#[async_trait]
pub trait Binder: Send + Sync + std::fmt::Debug {
    /// What this broker can do. Constant while the instance lives.
    fn capabilities(&self) -> &Capabilities;

    /// Creates or verifies destinations and groups, as `mode` says; [`Provision::None`] touches nothing.
    ///
    /// Dropping the future leaves any part of the plan done; calling again completes it.
    ///
    /// # Errors
    /// The broker is away, refuses, or (with [`Provision::Verify`]) lacks something; all that is missing is named at once.
    async fn provision(&self, plan: &[DestinationPlan], mode: Provision)
    -> Result<ProvisionReport>;

    /// Subscribes. The first event of the consumer is an assignment.
    ///
    /// # Errors
    /// The broker is away (temporary), or refuses the subscription (permanent).
    async fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>>;

    /// Opens a producer.
    ///
    /// # Errors
    /// The broker is away (temporary), or refuses the producer (permanent).
    async fn producer(&self, spec: &ProducerSpec) -> Result<Arc<dyn Producer>>;

    /// How well the instance is. Answers from memory; never waits for the broker.
    fn health(&self) -> Health;

    /// The administrative part.
    fn admin(&self) -> &dyn Admin;

    /// Closes connections and ends all tasks; consumers and producers that are still open report
    /// [`ErrorKind::Closed`](crate::error::ErrorKind::Closed) from then on.
    ///
    /// # Errors
    /// Something could not be flushed.
    async fn close(&self) -> Result<()>;
}
