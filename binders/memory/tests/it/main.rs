//! The memory binder against the contract.

#[cfg(test)]
mod kit;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod partitions;
#[cfg(test)]
mod start;
#[cfg(test)]
mod filter;
#[cfg(test)]
mod settle;
#[cfg(test)]
mod delayed;
#[cfg(test)]
mod ranked;
#[cfg(test)]
mod positions;
#[cfg(test)]
mod assignment;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod transactions;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod provisioning;
#[cfg(test)]
mod capabilities;
#[cfg(test)]
mod mixed;
