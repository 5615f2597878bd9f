//! Why a value cannot be decoded.

use crate::config::KeyPath;
use crate::config::nearest::{quoted, suggestion};
use serde::de::{Error, Expected, Unexpected};
use std::fmt;

/// Why a value cannot be decoded; where, is known once it has left the value.
#[derive(Debug)]
pub(super) struct DecodeError {
    pub(super) at: Option<KeyPath>,
    pub(super) cause: Cause,
}

#[derive(Debug)]
pub(super) enum Cause {
    /// A table lacks a key that has no default.
    Missing(&'static str),
    /// The value is wrong: the rest of a sentence that begins with it, and how to write it.
    Value { problem: String, help: String },
    /// The value should be a table.
    NotATable { found: &'static str },
}

impl DecodeError {
    pub(super) fn value(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            at: None,
            cause: Cause::Value {
                problem: problem.into(),
                help: help.into(),
            },
        }
    }

    /// Says where it happened, unless that is known more precisely.
    pub(super) fn at(mut self, path: &KeyPath) -> Self {
        self.at.get_or_insert_with(|| path.clone());
        self
    }

    /// Says which keys the table has that the value should have been.
    pub(super) fn with_keys(self, keys: &[&str]) -> Self {
        match self.cause {
            Cause::NotATable { found } => {
                let help = format!(
                    "write a table with some of the keys {}, not {found}",
                    quoted(keys)
                );
                Self {
                    at: self.at,
                    ..Self::value(" has the wrong type", help)
                }
            }
            Cause::Missing(_) | Cause::Value { .. } => self,
        }
    }
}

impl Error for DecodeError {
    /// Two lines are what is wrong and how to fix it, see [`Unreadable`](crate::units::Unreadable).
    fn custom<T: fmt::Display>(message: T) -> Self {
        let text = format!("{message:#}");
        match text.split_once('\n') {
            Some((problem, help)) => Self::value(format!(" {problem}"), help),
            None => Self::value(format!(": {text}"), ""),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        if found == Unexpected::Unit {
            return Self::value(
                " has no value",
                format!("{}, or delete the line", wanted(&expected)),
            );
        }
        let found = kind(&found);
        if expected.starts_with("struct ") {
            return Self {
                at: None,
                cause: Cause::NotATable { found },
            };
        }
        let help = wanted(&expected);
        let help = if help.contains("for example") {
            help
        } else {
            format!("{help}, not {found}")
        };
        Self::value(" has the wrong type", help)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        match whole_numbers(&expected) {
            Some(range) => Self::value(" is out of range", format!("write a whole number {range}")),
            None => Self::value(" is not allowed here", wanted(&expected)),
        }
    }

    fn invalid_length(count: usize, expected: &dyn Expected) -> Self {
        Self::value(
            format!(" has {count} entries"),
            wanted(&expected.to_string()),
        )
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::value(
            " is not one of the choices",
            suggestion(variant, expected, "write one of"),
        )
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let help = suggestion(field, expected, "the keys here are");
        Self::value(format!(" has the unknown key `{field}`"), help)
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            at: None,
            cause: Cause::Missing(field),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Missing(field) => write!(f, "missing key `{field}`"),
            Cause::Value { problem, help } => write!(f, "the value{problem}; {help}"),
            Cause::NotATable { found } => write!(f, "the value is {found} and not a table"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// What was found, in the words of the settings.
fn kind(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "`true` or `false`",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a fraction",
        Unexpected::Str(_) | Unexpected::Char(_) => "a text",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a table",
        _ => "this",
    }
}

/// How to write what serde expects, in the words of the settings.
fn wanted(expected: &str) -> String {
    if expected.starts_with("write ") {
        return expected.to_owned();
    }
    let wanted = match expected {
        "a boolean" => "`true` or `false`",
        "a string" | "string" | "a borrowed string" => "a text in quotes",
        "a sequence" => "a list in `[ ]`",
        "a map" => "a table",
        "f32" | "f64" => "a number",
        other if whole_numbers(other).is_some() => "a whole number",
        other => other,
    };
    format!("write {wanted}")
}

/// What a whole number of this type may be.
fn whole_numbers(name: &str) -> Option<String> {
    let range =
        |least: &dyn fmt::Display, most: &dyn fmt::Display| Some(format!("from {least} to {most}"));
    match name {
        "u8" => range(&u8::MIN, &u8::MAX),
        "u16" => range(&u16::MIN, &u16::MAX),
        "u32" => range(&u32::MIN, &u32::MAX),
        "u64" | "usize" => Some("of 0 or more".to_owned()),
        "i8" => range(&i8::MIN, &i8::MAX),
        "i16" => range(&i16::MIN, &i16::MAX),
        "i32" => range(&i32::MIN, &i32::MAX),
        "i64" | "isize" => range(&i64::MIN, &i64::MAX),
        "a nonzero u8" | "a nonzero u16" | "a nonzero u32" | "a nonzero u64"
        | "a nonzero usize" => Some("of 1 or more".to_owned()),
        _ => None,
    }
}
