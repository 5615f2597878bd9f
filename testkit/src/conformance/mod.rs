//! One suite that says what a binder must do.
//!
//! Every binder passes the same cases, those of this project and those of others.
//! A case shows one rule; its name says what it looks at.
//! What a binder declares in its [`Capabilities`](mq_core::binder::Capabilities) decides which cases it gets: a declared capability has
//! to work, and one that is not declared has to be refused when it is asked for.
//! A case that has nothing to say about a binder is skipped, with the reason.
//!
//! # As tests
//! Each case is a test of its own, `nats::publish::one_message_arrives`:
//! ```ignore
//! mq_testkit::conformance!(nats, || async { NatsBinder::connect("nats://127.0.0.1:4222").await });
//! ```
//! The closure connects another instance to the same broker each time it is called.
//! A [`Subject`] in its place also says which trouble can be made: cut connections, a broker that restarts.
//!
//! # As a table
//! `cargo run -p mq-testkit --bin conformance -- --binder memory`, or [`Suite`] from code.
//!
//! # What a failure says
//! A case shows one [`Rule`], and a rule rests on others: [`Report::diagnosis`] tells which rules are broken and which failures follow
//! from that. Broken binders, one for each rule, hold the suite to it: `tests/teeth`.
//!
//! # Rules for cases
//! - Only the public contract, and [`Fault`]s.
//! - Destinations and groups of its own, so that cases run in parallel on one broker.
//! - No sleep to wait for something: [`Subject::patience`] is how long it may take to happen.
//! - That something does not happen is proved by something else that comes after it would have; where nothing can, by a short look.
//! - Delays are real and short: "not early" and "arrives", never "at".

mod case;
mod cases;
mod check;
mod context;
mod diagnosis;
mod list;
mod members;
#[cfg(feature = "broker")]
mod broker;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "memory")]
mod memory;
mod reader;
mod report;
mod rule;
mod rule_of;
mod run;
mod service;
mod subject;
mod suite;

#[cfg(feature = "broker")]
pub use broker::{broker_subject, broker_subject_as};
pub use case::Case;
pub use diagnosis::Diagnosis;
#[cfg(feature = "kafka")]
pub use kafka::{kafka_subject, kafka_subject_at};
#[cfg(feature = "memory")]
pub use memory::{MemoryForm, memory_subject};
pub use report::{CaseResult, Report, Verdict};
pub use rule::Rule;
pub use run::check;
pub use subject::{Fault, IntoSubject, Subject};
pub use suite::Suite;
