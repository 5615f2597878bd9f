//! The content type of a payload.

use std::{borrow::Cow, fmt};

/// A media type such as `application/json` (RFC 6838); parameters after `;` are kept but not compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContentType(Cow<'static, str>);

impl ContentType {
    /// `application/json`, the default.
    pub const JSON: Self = Self(Cow::Borrowed("application/json"));
    /// `text/plain`
    pub const TEXT: Self = Self(Cow::Borrowed("text/plain"));
    /// `application/octet-stream`
    pub const BYTES: Self = Self(Cow::Borrowed("application/octet-stream"));

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Type and subtype without parameters.
    #[must_use]
    pub fn essence(&self) -> &str {
        self.0
            .split_once(';')
            .map_or(&*self.0, |(essence, _)| essence)
            .trim()
    }

    /// Whether this is JSON: `application/json` or any `+json` (RFC 6839).
    #[must_use]
    pub fn is_json(&self) -> bool {
        if self.0 == "application/json" {
            return true;
        }
        let essence = self.essence();
        essence.eq_ignore_ascii_case("application/json") || ends_with_ignore_case(essence, "+json")
    }

    /// Whether this is text: any `text/…`.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.0
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

impl From<&'static str> for ContentType {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for ContentType {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
