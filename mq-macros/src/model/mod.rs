//! Second phase: what the attributes stand before.

mod failing;
mod function;

pub(crate) use failing::{Cases, Failing};
pub(crate) use function::{Function, Parameter};
