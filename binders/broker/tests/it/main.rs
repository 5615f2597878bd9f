//! The broker as a library, on a real disk.

mod basics;
mod leases;
mod limits;
mod publishers;
mod snapshots;
