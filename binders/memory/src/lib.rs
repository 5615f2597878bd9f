//! `mq-memory`: the reference binder of `mq`.
//!
//! A broker in this process's memory, for tests and for programs that need none.
//! It has every capability but durability, and does nothing by itself: no task, no timer, no randomness.

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
mod headers;
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
