//! Where a value came from.

use std::fmt;

/// Where a value came from, from the weakest to the strongest; a stronger one replaces a weaker one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it: the default.
    #[default]
    Default,
    /// The attribute of a function, such as `#[stream_listener(…)]`.
    Attribute {
        /// The source file.
        file: String,
        /// The line in it, from 1.
        line: u32,
    },
    /// A settings file, or the settings file of a profile.
    File {
        /// The file's name as it was given.
        name: String,
        /// The line in it, from 1.
        line: u32,
    },
    /// A variable of the environment.
    Environment {
        /// The variable's name.
        variable: String,
    },
    /// A call in the program.
    Code {
        /// The source file, if it is known.
        file: Option<String>,
        /// The line in it, from 1, if it is known.
        line: Option<u32>,
    },
}

impl Origin {
    /// The place in the program that called this, or that called its `#[track_caller]` caller.
    #[track_caller]
    #[must_use]
    pub fn caller() -> Self {
        let place = std::panic::Location::caller();
        Self::Code {
            file: Some(place.file().to_owned()),
            line: Some(place.line()),
        }
    }

    /// The program, at an unknown place.
    #[must_use]
    pub const fn code() -> Self {
        Self::Code {
            file: None,
            line: None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Attribute { file, line } => write!(f, "{file}, line {line}"),
            Self::File { name, line } => write!(f, "{name}, line {line}"),
            Self::Environment { variable } => write!(f, "environment {variable}"),
            Self::Code {
                file: Some(file),
                line: Some(line),
            } => write!(f, "code, {file}, line {line}"),
            Self::Code { .. } => f.write_str("code"),
        }
    }
}
