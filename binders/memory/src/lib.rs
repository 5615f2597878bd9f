//! `mq-memory`: the reference binder of `mq`.
//!
//! A broker in this process's memory, for tests and for programs that need none.
//! It has every capability but durability, and does nothing by itself: no task, no timer, no randomness.

mod config;
mod options;
mod builder;
mod factory;
mod binder;
mod session;
mod consumer;
mod producer;
mod filter;
mod error;
mod broker;

pub use binder::MemoryBinder;
pub use builder::MemoryBuilder;
pub use config::{Limit, MemorySettings};
pub use factory::{FACTORY, MemoryFactory};
pub use options::Full;
