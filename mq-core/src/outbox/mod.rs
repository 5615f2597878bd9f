//! The transactional outbox: what is to be published is written first, in the database transaction of the effect it tells of.

mod message;
mod wake;

pub use message::OutboxMessage;
pub use wake::WakeUp;
