//! What a case says when the binder is not as it should be.

use std::{fmt, panic::Location};

use mq_core::error::Error;

/// The result of a case, or of a part of one.
pub(crate) type Checked<T = ()> = Result<T, Broken>;

/// A rule that the binder does not keep, and where the case found out.
#[derive(Clone)]
pub(crate) struct Broken {
    text: String,
    is_skip: bool,
    place: &'static Location<'static>,
}

impl Broken {
    #[track_caller]
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_skip: false,
            place: Location::caller(),
        }
    }

    /// Not a broken rule: the case has found out that it has nothing to say.
    #[track_caller]
    pub(crate) fn skip(reason: impl Into<String>) -> Self {
        Self {
            is_skip: true,
            ..Self::new(reason)
        }
    }

    /// The reason, if the case has nothing to say.
    pub(crate) fn skipped(&self) -> Option<&str> {
        self.is_skip.then_some(&self.text)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.place.file().rsplit(['/', '\\']).next();
        let file = file.unwrap_or_default();
        write!(f, "{} [{file}:{}]", self.text, self.place.line())
    }
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A call that should have succeeded.
impl From<Error> for Broken {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format!(
            "a call failed that should have succeeded: {} ({:?})",
            error.chain(),
            error.kind()
        ))
    }
}

impl From<mq_core::config::Problems> for Broken {
    #[track_caller]
    fn from(problems: mq_core::config::Problems) -> Self {
        Self::new(format!("the application is refused: {problems}"))
    }
}

/// Ends the case unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err($crate::conformance::check::Broken::new(format!($($text)+)));
        }
    };
}

/// Ends the case unless what was found is what was expected.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr, $($text:tt)+) => {
        match (&$found, &$expected) {
            (found, expected) => {
                if !(*found == *expected) {
                    let what = format!($($text)+);
                    return Err($crate::conformance::check::Broken::new(format!(
                        "{what}: expected {expected:?}, found {found:?}"
                    )));
                }
            }
        }
    };
}

pub(crate) use {ensure, ensure_eq};
