//! The Java types of headers, as Spring writes them beside the headers.

use std::{borrow::Cow, collections::BTreeMap};

use serde::de::IgnoredAny;

/// The header that names the Java type of every other header except byte arrays, as JSON.
pub(super) const TYPES: &str = "spring_json_header_types";
/// The type of plain text.
const STRING: &str = "java.lang.String";

/// Types by the names of headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Types(BTreeMap<String, String>);

impl Types {
    /// None, if the text is not what Spring writes.
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(serde_json::from_slice(text).unwrap_or_default())
    }

    /// The types that are not plain text, as a header; `None` if there are none.
    pub(super) fn special(&self) -> Option<String> {
        let special: BTreeMap<_, _> = self.0.iter().filter(|(_, java)| *java != STRING).collect();
        (!special.is_empty()).then(|| json(&special)).flatten()
    }

    pub(super) fn text(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| json(&self.0)).flatten()
    }

    /// The value that a header stands for: text that is quoted as JSON without its quotes, everything else as it is.
    pub(super) fn read<'a>(&self, name: &str, value: &'a [u8]) -> Cow<'a, [u8]> {
        if !self.0.contains_key(name) || !value.starts_with(b"\"") {
            return Cow::Borrowed(value);
        }
        match serde_json::from_slice::<String>(value) {
            Ok(text) => Cow::Owned(text.into_bytes()),
            Err(_) => Cow::Borrowed(value),
        }
    }

    /// Notes the type of a header that is written, by those that came with the message, and gives the value its form.
    /// What is no text is written as it is, and has no type.
    pub(super) fn write<'a>(&mut self, came: &Self, name: &str, value: &'a [u8]) -> Cow<'a, [u8]> {
        let Ok(text) = std::str::from_utf8(value) else {
            return Cow::Borrowed(value);
        };
        let java = came.0.get(name).map_or(STRING, String::as_str);
        self.0.insert(name.to_owned(), java.to_owned());
        let is_json = || serde_json::from_str::<IgnoredAny>(text).is_ok();
        if java == STRING || is_json() {
            return Cow::Borrowed(value);
        }
        json(&text).map_or(Cow::Borrowed(value), |quoted| {
            Cow::Owned(quoted.into_bytes())
        })
    }
}

fn json<T: serde::Serialize>(value: &T) -> Option<String> {
    serde_json::to_string(value).ok()
}
