//! What only Kafka does: members that come and go, brokers that die, positions that lie behind, settings that do not fit.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod absent;
mod cluster;
mod commands;
mod effects;
mod fencing;
mod fetches;
mod letters;
mod positions;
mod protocol;
mod server;
mod silence;
mod storm;
mod topics;
