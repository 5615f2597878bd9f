//! The memory binder against the contract.

mod delivery;
mod kit;
