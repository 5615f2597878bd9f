#![doc = include_str!("README.md")]

mod options;
mod run;
mod verdict;
mod binders;
mod plan;
mod source;
mod feed;
mod handlers;
mod ledger;
mod positions;
mod services;
mod settings;
mod progress;
mod fleet;
mod memory;
mod children;
mod service;
mod dice;

pub use binders::{BINDERS, BinderEntry};
pub use options::{Guarantee, Options};
pub use run::{Finished, run};
pub use service::serve;
pub use verdict::Outcome;
