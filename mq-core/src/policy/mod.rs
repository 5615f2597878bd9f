//! The policies of a binding: what is retried, in which order, and what becomes of a message that keeps failing.
//!
//! Each is a plain value with defaults, read from the settings, and the same on every binder.
//! `validate` on each reports every field that is out of range, see [`OutOfRange`].

mod batch;
mod breaker;
mod dead_letter;
mod exhausted;
mod guarantee;
mod idempotency;
mod ordering;
mod provision;
mod range;
mod retry;
mod start;
mod unmatched;
mod window;

pub use batch::BatchPolicy;
pub use breaker::BreakerPolicy;
pub use dead_letter::DeadLetterPolicy;
pub use exhausted::Exhausted;
pub use guarantee::Guarantee;
pub use idempotency::IdempotencyPolicy;
pub use ordering::Ordering;
pub use provision::Provision;
pub use range::OutOfRange;
pub(crate) use range::Ranges;
pub use retry::{NextAttempt, RetryPolicy};
pub use start::Start;
pub use unmatched::Unmatched;
pub use window::WindowPolicy;
