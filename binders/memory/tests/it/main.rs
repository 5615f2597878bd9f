//! The memory binder against the contract.

#[cfg(test)]
mod delivery;
#[cfg(test)]
mod kit;
