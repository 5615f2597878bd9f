//! Message-driven microservices: plain async functions, any broker, nothing lost.

pub use mq_core::{
    binder, clock, codec, config, error, extract, function, idempotency, listener, message, middleware, outcome, output,
    policy, registry, telemetry, units, worker,
};

pub use mq_core::{
    error::{Error, ErrorKind},
    outcome::{Decision, Failure, IntoFailure, Outcome},
};


/// The result of a listener: any error by `?`, which means retry.
pub type Result<T, E = Failure> = std::result::Result<T, E>;
