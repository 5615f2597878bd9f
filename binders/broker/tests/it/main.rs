//! The broker as a library, on a real disk.

#![expect(clippy::unwrap_used, reason = "a test ends where a value is missing")]

mod backlog;
mod basics;
mod credit;
mod damage;
mod leases;
mod limits;
mod publishers;
mod snapshots;
mod socket;
