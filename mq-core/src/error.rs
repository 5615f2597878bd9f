//! The one error type of the framework.
//!
//! An [`Error`] says *what* went wrong ([`ErrorKind`]), whether repeating the same call can help ([`ErrorStatus`]), what was
//! attempted, and with which values.
//! The model is the error of `OpenDAL`: one type for every binder, so that policies can be written once.

use std::fmt;

/// A boxed error of any type, as tower uses it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The result of a library call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, coarsely: the answer to "whose problem is it".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration or the program asks for something that cannot be.
    Config,
    /// The broker or store cannot be reached.
    Unavailable,
    /// The broker does not know the destination, group or message.
    NotFound,
    /// The broker refuses the caller.
    Unauthorized,
    /// A message is larger than the broker or the binding allows.
    TooLarge,
    /// The broker does not have this capability.
    Unsupported,
    /// The right to do this has passed to somebody else (a lane was lost, a lease ran out, a transaction was fenced).
    Lost,
    /// A payload or header cannot be read or written.
    Codec,
    /// The broker refused a message for a reason of its own.
    Rejected,
    /// A limit of the broker or of the process is reached; there is room again later.
    Full,
    /// The part was closed before or during the call.
    Closed,
    /// An invariant of the framework or of a binder is broken; please report it.
    Bug,
}

/// Whether repeating the same call can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorStatus {
    /// Repeating the call later can succeed.
    Temporary,
    /// Repeating the same call will fail again; other calls are not affected.
    Permanent,
    /// The binder instance, consumer or producer is of no more use.
    Fatal,
}

/// An error of the framework, a binder or a store.
///
/// `Display` prints this level only; the cause is in [`source`](std::error::Error::source).
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    status: ErrorStatus,
    message: String,
    operation: &'static str,
    context: Vec<(&'static str, String)>,
    source: Option<BoxError>,
}

impl Error {
    /// A permanent error of `kind`; `message` says what failed, in lower case and without a final period.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            status: ErrorStatus::Permanent,
            message: message.into(),
            operation: "",
            context: Vec::new(),
            source: None,
        }))
    }

    /// Marks that repeating the same call can succeed.
    #[must_use]
    pub fn temporary(mut self) -> Self {
        self.0.status = ErrorStatus::Temporary;
        self
    }

    /// Marks that the part that reported this is of no more use.
    #[must_use]
    pub fn fatal(mut self) -> Self {
        self.0.status = ErrorStatus::Fatal;
        self
    }

    /// Names the operation that was attempted, as `Type::method`.
    #[must_use]
    pub fn operation(mut self, operation: &'static str) -> Self {
        self.0.operation = operation;
        self
    }

    /// Adds a named value that helps to find the place.
    #[must_use]
    pub fn context(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((name, value.to_string()));
        self
    }

    /// Sets the cause.
    #[must_use]
    pub fn source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether repeating the same call can succeed.
    #[must_use]
    pub fn status(&self) -> ErrorStatus {
        self.0.status
    }

    /// Shorthand for `status() == ErrorStatus::Temporary`.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.0.status == ErrorStatus::Temporary
    }

    /// The message alone, without context.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// This error and its causes on one line, for logs and reports.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (index, (name, value)) in self.0.context.iter().enumerate() {
            let open = if index == 0 { " (" } else { ", " };
            write!(f, "{open}{name}: {value}")?;
        }
        if self.0.context.is_empty() {
            Ok(())
        } else {
            f.write_str(")")
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("status", &self.0.status)
            .field("message", &self.0.message)
            .field("operation", &self.0.operation)
            .field("context", &self.0.context)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_prints_this_level_and_chain_prints_all() {
        let cause = std::io::Error::other("connection reset");
        let error = Error::new(ErrorKind::Unavailable, "cannot publish")
            .temporary()
            .operation("Producer::publish")
            .context("destination", "orders")
            .source(cause);
        assert_eq!(error.to_string(), "cannot publish (destination: orders)");
        assert_eq!(
            error.chain(),
            "cannot publish (destination: orders): connection reset"
        );
        assert!(error.is_temporary());
    }
}
