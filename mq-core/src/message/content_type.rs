//! The content type of a payload.

use std::{fmt, sync::Arc};

/// A media type such as `application/json` (RFC 6838); parameters after `;` are kept but not compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContentType(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Json,
    Text,
    Bytes,
    Other(Arc<str>),
}

/// The types that most messages have, in one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Usual {
    /// Another one, or none.
    #[default]
    None,
    Json,
    Text,
    Bytes,
}

impl Usual {
    pub(super) fn content_type(self) -> Option<&'static ContentType> {
        match self {
            Self::None => None,
            Self::Json => Some(&ContentType::JSON),
            Self::Text => Some(&ContentType::TEXT),
            Self::Bytes => Some(&ContentType::BYTES),
        }
    }
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
const BYTES: &str = "application/octet-stream";

impl ContentType {
    /// `application/json`, the default.
    pub const JSON: Self = Self(Kind::Json);
    /// `text/plain`
    pub const TEXT: Self = Self(Kind::Text);
    /// `application/octet-stream`
    pub const BYTES: Self = Self(Kind::Bytes);

    #[inline]
    pub(super) fn usual(&self) -> Usual {
        match &self.0 {
            Kind::Json => Usual::Json,
            Kind::Text => Usual::Text,
            Kind::Bytes => Usual::Bytes,
            Kind::Other(_) => Usual::None,
        }
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kind::Json => JSON,
            Kind::Text => TEXT,
            Kind::Bytes => BYTES,
            Kind::Other(text) => text,
        }
    }

    /// Type and subtype without parameters.
    #[must_use]
    pub fn essence(&self) -> &str {
        let text = self.as_str();
        text.split_once(';')
            .map_or(text, |(essence, _)| essence)
            .trim()
    }

    /// Whether this is JSON: `application/json` or any `+json` (RFC 6839).
    #[must_use]
    #[inline]
    pub fn is_json(&self) -> bool {
        matches!(self.0, Kind::Json) || self.is_other_json()
    }

    fn is_other_json(&self) -> bool {
        let essence = self.essence();
        essence.eq_ignore_ascii_case(JSON) || ends_with_ignore_case(essence, "+json")
    }

    /// Whether this is text: any `text/…`.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.as_str()
            .get(..5)
            .is_some_and(|start| start.eq_ignore_ascii_case("text/"))
    }
}

fn ends_with_ignore_case(text: &str, end: &str) -> bool {
    text.len()
        .checked_sub(end.len())
        .and_then(|at| text.get(at..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

impl From<&str> for ContentType {
    fn from(text: &str) -> Self {
        Self(match text {
            JSON => Kind::Json,
            TEXT => Kind::Text,
            BYTES => Kind::Bytes,
            other => Kind::Other(other.into()),
        })
    }
}

impl From<String> for ContentType {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_recognised_with_parameters_case_and_suffix() {
        for text in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/vnd.shop+json",
        ] {
            assert!(ContentType::from(text).is_json(), "{text}");
        }
        for text in ["text/plain", "json", "application/jsonp", ""] {
            assert!(!ContentType::from(text).is_json(), "{text}");
        }
    }
}
