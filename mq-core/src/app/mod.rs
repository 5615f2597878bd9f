//! The application: what it is made of, how it starts, runs and stops.

mod bindings;
mod builder;
mod checks;
mod connect;
mod idle;
mod inputs;
mod outputs;
mod plan;
mod problems;
mod running;
mod signals;
mod table;

pub use bindings::BindingBuilder;
pub use builder::{App, OutputNames};
pub use plan::Planned;
pub use running::{AppHandle, Report, RunningApp};
pub use table::{PolicyRow, PolicyTable};
