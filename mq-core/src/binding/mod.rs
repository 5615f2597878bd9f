//! The loop of a binding: from the consumer through the stack to the settlement.
//!
//! ```text
//! receive → intake → order (by key, partition or not at all) → worker → judge → publish → complete claims → settle
//! ```
//!
//! One task runs a binding.
//! Only the [worker](crate::worker) knows the listener's type; everything here is compiled once.

mod control;
mod drain;
mod engine;
mod finish;
mod intake;
mod judge;
mod plan;
mod positions;
mod publish;
mod resting;
mod runs;
mod saved;
mod source;
mod stage;
mod supervise;
mod tracker;
mod transact;
mod waiting;
mod window;

pub use control::{BindingHandle, BindingState, BindingStatus, Command};
pub use drain::DrainReport;
pub use plan::{DelayStyle, InputPlan, RetryDestination};
pub use saved::settled_above;
pub use source::{SourcePlan, run_source};
pub use supervise::run_input;
