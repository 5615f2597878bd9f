//! Where outputs go: a producer with the rules of its binding.

mod key;
mod outlet;

pub use key::KeyRule;
pub use outlet::{BinderSlot, Outlet, OutletOptions, Outlets};
