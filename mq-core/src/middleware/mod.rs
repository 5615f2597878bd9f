//! The standard stack: tower layers around every listener, for single deliveries and batches alike.
//!
//! ```text
//! observe → user layers → dead-letter → circuit breaker → retry → idempotency → timeout → catch-panic → listener
//! ```
//!
//! Observing is the part of the worker that makes the calls.
//! One call of the stack is one attempt.
//! The retry and dead-letter layers are judges ([`Judge`]) that decide and write the decision into the failure ([`Next`](crate::outcome::Next)); waiting and
//! publishing is the loop's part, so that a message which waits holds neither a permit nor a future.

mod arrival;
mod boxed;
mod breaker;
mod catch_panic;
mod dead_letter;
mod handled;
mod busy;
mod idempotency;
mod judged;
mod letter;
mod observe;
mod pulse;
mod retry;
mod stack;
mod timeout;

pub use arrival::Arrival;
pub use boxed::{BoxedCall, BoxedStack};
pub use breaker::Breaker;
pub(crate) use catch_panic::panicked;
pub use catch_panic::{CatchPanic, CatchPanicLayer};
pub use dead_letter::DeadLetter;
pub use handled::{Handled, HandledBatch};
pub use idempotency::{Idempotency, IdempotencyLayer, IdempotencyOptions};
pub use judged::{Judge, JudgeLayer, Judged};
pub use letter::{LetterOptions, Reason, dead_letter_message, delayed_message};
pub(crate) use observe::Observed;
pub use observe::Observer;
pub(crate) use pulse::NEVER;
pub use pulse::Pulse;
pub use retry::Retry;
pub use stack::{Judges, StackOptions, Standard, standard};
pub(crate) use timeout::took_longer;
pub use timeout::{Timeout, TimeoutLayer};
