//! The running broker: group commit, the journal's thread, and what reads behind them.

mod block;
mod bodies;
mod chunk;
mod clock;
mod commit;
mod epochs;
mod expiry;
mod join;
mod keeper;
mod letter;
mod lock;
mod mark;
mod message;
mod open;
mod options;
mod position;
mod publish;
mod room;
mod settle;
mod shared;
mod single;
mod step;
mod subscription;
mod thread;
mod transact;

pub(crate) use join::Wanted;
pub(crate) use open::Running;
pub(crate) use position::MAX_SAVED;
pub(crate) use publish::Numbers;
pub use room::DiskRoom;
pub(crate) use shared::Shared;
pub(crate) use step::Checks;
pub(crate) use subscription::Reading;
