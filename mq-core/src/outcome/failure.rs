//! Why a delivery failed, and what is to happen now.

use std::{any::Any, borrow::Cow, fmt, sync::OnceLock, time::Duration};

use super::Next;
use crate::error::BoxError;

/// What is to happen with a message that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Try again as the binding's retry policy says, then dead-letter.
    Retry,
    /// Try again after this delay, within the attempts of the retry policy.
    RetryAfter(Duration),
    /// Move to the dead letters at once.
    DeadLetter,
    /// Count it and acknowledge it.
    Discard,
    /// Try again after this delay without counting an attempt: the message was not handled at all (overload, a claim held
    /// elsewhere).
    Defer(Duration),
}

/// Why a delivery failed: a decision, the type of the error, its text, and its cause.
///
/// `Failure` deliberately does not implement [`std::error::Error`], so that `?` can turn *any* error into one (the rule of
/// `anyhow`): an error without further words means [`Decision::Retry`].
pub struct Failure(Box<Inner>);

struct Inner {
    decision: Decision,
    next: Option<Next>,
    kind: Cow<'static, str>,
    message: String,
    cause: Option<BoxError>,
}

impl Failure {
    fn new(
        decision: Decision,
        kind: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self(Box::new(Inner {
            decision,
            next: None,
            kind: kind.into(),
            message: message.into(),
            cause: None,
        }))
    }

    /// Try again by the binding's retry policy.
    #[must_use]
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::new(Decision::Retry, "failure", reason)
    }

    /// Try again after `delay`, within the attempts of the retry policy.
    ///
    /// A delay of more than five seconds survives a crash of the process where the group is durable: it is kept by the broker, in a
    /// retry destination, or held where a key keeps its order. It is not rounded.
    #[must_use]
    pub fn retry_after(delay: Duration, reason: impl Into<String>) -> Self {
        Self::new(Decision::RetryAfter(delay), "failure", reason)
    }

    /// Move the message to the dead letters at once.
    #[must_use]
    pub fn dead_letter(reason: impl Into<String>) -> Self {
        Self::new(Decision::DeadLetter, "failure", reason)
    }

    /// Count the message as discarded and acknowledge it.
    #[must_use]
    pub fn discard(reason: impl Into<String>) -> Self {
        Self::new(Decision::Discard, "failure", reason)
    }

    /// Try again after `delay` without counting an attempt.
    #[must_use]
    pub fn defer(delay: Duration, reason: impl Into<String>) -> Self {
        Self::new(Decision::Defer(delay), "deferred", reason)
    }

    /// A failure from any error, with its text and cause.
    #[must_use]
    pub fn from_error<E: Into<BoxError>>(decision: Decision, error: E) -> Self {
        let error = error.into();
        let mut failure = Self::new(decision, "error", error.to_string());
        failure.0.cause = Some(error);
        failure
    }

    /// Names the type of the error, as dead letters and metrics show it (for example `UnknownCountry`).
    #[must_use]
    pub fn kind(mut self, kind: impl Into<Cow<'static, str>>) -> Self {
        self.0.kind = kind.into();
        self
    }

    /// Changes the decision.
    #[must_use]
    pub fn decide(mut self, decision: Decision) -> Self {
        self.0.decision = decision;
        self
    }

    /// What is to happen.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.0.decision
    }

    /// What the policies have decided; `None` until the failure has passed the retry layer.
    #[must_use]
    pub fn next(&self) -> Option<Next> {
        self.0.next
    }

    /// Records what a policy has decided.
    pub fn set_next(&mut self, next: Next) {
        self.0.next = Some(next);
    }

    /// The same failure for another message of its batch, without the cause.
    #[must_use]
    pub fn repeat(&self) -> Self {
        Self::new(self.0.decision, self.0.kind.clone(), self.0.message.clone())
    }

    /// The type of the error; `failure`, `error`, `panic`, `timeout` and `undecodable` are the framework's own.
    #[must_use]
    pub fn error_type(&self) -> &str {
        &self.0.kind
    }

    /// The text of the error.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The cause, where there is one.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.0.cause.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// What a person wants to read where `main` returns a failure: the text and its causes; `{:#?}` shows the parts.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return self.debug_parts(f);
        }
        f.write_str(&self.0.message)?;
        let mut cause = self.cause().and_then(std::error::Error::source);
        while let Some(error) = cause {
            write!(f, "\n  because: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Failure {
    fn debug_parts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("decision", &self.0.decision)
            .field("next", &self.0.next)
            .field("type", &self.0.kind)
            .field("message", &self.0.message)
            .field("cause", &self.0.cause)
            .finish()
    }
}

/// What a type says about its own failures; `#[derive(Failure)]` implements it.
///
/// The derive also registers a reader with [`FailureOf`], so that `?` from a derived enum into [`Failure`] keeps the decision.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what its failures mean",
    label = "not a failure",
    note = "derive it: `#[derive(Debug, thiserror::Error, mq::Failure)]`, with `#[failure(retry | dead_letter | discard | retry_after = \"30s\")]` on each variant",
    note = "or return `Result<_, mq::Failure>`, into which `?` takes any error and means retry"
)]
pub trait IntoFailure {
    /// The failure that this error stands for.
    fn into_failure(self) -> Failure;
}

#[diagnostic::do_not_recommend]
impl IntoFailure for Failure {
    fn into_failure(self) -> Failure {
        self
    }
}

#[diagnostic::do_not_recommend]
impl IntoFailure for BoxError {
    fn into_failure(self) -> Failure {
        Failure::read(self)
    }
}

#[diagnostic::do_not_recommend]
impl IntoFailure for crate::error::Error {
    fn into_failure(self) -> Failure {
        Failure::read(Box::new(self))
    }
}

#[diagnostic::do_not_recommend]
impl IntoFailure for std::convert::Infallible {
    fn into_failure(self) -> Failure {
        match self {}
    }
}

/// Reads the decision and type out of a boxed error of one known type.
///
/// The derive submits one per enum; without this, `?` from a derived enum into [`Failure`] would go through the blanket
/// conversion and lose a `discard` or `dead_letter`.
#[derive(Clone, Copy, Debug)]
pub struct FailureOf {
    read: fn(&(dyn Any + Send + Sync)) -> Option<(Decision, &'static str)>,
}

impl FailureOf {
    /// A reader for one type.
    #[must_use]
    pub const fn new(
        read: fn(&(dyn Any + Send + Sync)) -> Option<(Decision, &'static str)>,
    ) -> Self {
        Self { read }
    }

    /// The decision and type name, if `error` is of this reader's type.
    #[must_use]
    pub fn read(&self, error: &(dyn Any + Send + Sync)) -> Option<(Decision, &'static str)> {
        (self.read)(error)
    }
}

/// Asks the registered readers about an error.
type Read = fn(&(dyn Any + Send + Sync)) -> Option<(Decision, &'static str)>;

static READERS: OnceLock<Read> = OnceLock::new();

/// Sets how registered readers are asked; the registry does it once.
pub(crate) fn install_readers(read: Read) {
    let _ = READERS.set(read);
}

impl Failure {
    fn read(error: BoxError) -> Self {
        Self::from_error(Decision::Retry, error)
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let known = READERS.get().and_then(|read| read(&error));
        let (decision, kind) = known.unwrap_or((Decision::Retry, "error"));
        Self::from_error(decision, error).kind(kind)
    }
}

/// Gives errors that `?` cannot take (`anyhow::Error`, `Box<dyn Error>`, a `String`) a decision.
pub trait ResultExt<T> {
    /// An error means: try again by the policy.
    ///
    /// # Errors
    /// The error as a [`Failure`] that is retried.
    fn or_retry(self) -> Result<T, Failure>;

    /// An error means: to the dead letters at once.
    ///
    /// # Errors
    /// The error as a [`Failure`] that is dead-lettered.
    fn or_dead_letter(self) -> Result<T, Failure>;

    /// An error means: the message is not wanted.
    ///
    /// # Errors
    /// The error as a [`Failure`] that is discarded.
    fn or_discard(self) -> Result<T, Failure>;
}

impl<T, E: Into<BoxError>> ResultExt<T> for Result<T, E> {
    fn or_retry(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::from_error(Decision::Retry, error))
    }

    fn or_dead_letter(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::from_error(Decision::DeadLetter, error))
    }

    fn or_discard(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::from_error(Decision::Discard, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails() -> Result<(), Failure> {
        Err(std::io::Error::other("disk away"))?;
        Ok(())
    }

    #[test]
    fn any_error_becomes_a_retry() {
        let failure = fails().expect_err("fails");
        assert_eq!(failure.decision(), Decision::Retry);
        assert_eq!(failure.message(), "disk away");
        assert!(failure.cause().is_some());
    }

    #[test]
    fn results_of_boxed_errors_take_a_decision() {
        let result: Result<(), BoxError> = Err("no such country".into());
        let failure = result.or_dead_letter().expect_err("fails");
        assert_eq!(failure.decision(), Decision::DeadLetter);
    }
}
