//! The running broker: group commit, the journal's thread, and what reads behind them.

mod block;
mod bodies;
mod chunk;
mod clock;
mod commit;
mod expiry;
mod keeper;
mod lock;
mod mark;
mod open;
mod options;
mod publish;
mod room;
mod settle;
mod shared;
mod single;
mod subscription;
mod thread;

pub(crate) use open::Running;
pub(crate) use publish::{Checks, Numbers};
pub use room::DiskRoom;
pub(crate) use settle::MAX_SAVED;
pub(crate) use shared::Shared;
pub(crate) use subscription::{Reading, Wanted};
