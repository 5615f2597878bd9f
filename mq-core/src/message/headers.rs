//! Headers: a list that keeps its order, costs nothing when empty, and is shared between clones.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;

/// The value of a header: bytes with a text view.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HeaderValue(Bytes);

impl HeaderValue {
    /// The value as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The value as text, if it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) => fmt::Debug::fmt(text, f),
            None => fmt::Debug::fmt(&self.0, f),
        }
    }
}

impl From<Bytes> for HeaderValue {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for HeaderValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<String> for HeaderValue {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for HeaderValue {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<u64> for HeaderValue {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

type Entry = (Cow<'static, str>, HeaderValue);

/// The headers of a message, in the order in which they were written; names may repeat and are case-sensitive.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Option<Arc<Vec<Entry>>>);

impl Headers {
    /// No headers; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|list| list.is_empty())
    }

    /// How many there are, repetitions included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |list| list.len())
    }

    /// The last value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&HeaderValue> {
        self.0
            .as_ref()?
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value)
    }

    /// The last value of this name, as text; `None` as well where it is not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// The last value of this name, parsed; `None` as well where it does not parse.
    #[must_use]
    pub fn parse<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// Every value of this name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a HeaderValue> {
        self.iter()
            .filter(move |(n, _)| *n == name)
            .map(|(_, value)| value)
    }

    /// Every header in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &HeaderValue)> {
        self.0
            .iter()
            .flat_map(|list| list.iter())
            .map(|(name, value)| (&**name, value))
    }

    /// Appends a header, whether or not the name is there already.
    pub fn append(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<HeaderValue>) {
        self.list().push((name.into(), value.into()));
    }

    /// Replaces every header of this name by one, at the end.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<HeaderValue>) {
        let name = name.into();
        self.remove(&name);
        self.append(name, value);
    }

    /// Removes every header of this name.
    pub fn remove(&mut self, name: &str) {
        if self.get(name).is_some() {
            self.list().retain(|(n, _)| n != name);
        }
    }

    /// Bytes of all names and values, as limits count them.
    #[must_use]
    pub fn size(&self) -> usize {
        self.iter()
            .map(|(name, value)| name.len() + value.as_bytes().len())
            .sum()
    }

    fn list(&mut self) -> &mut Vec<Entry> {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<N: Into<Cow<'static, str>>, V: Into<HeaderValue>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(iter: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in iter {
            headers.append(name, value);
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_repetition_unicode_and_binary_values_are_kept() {
        let binary = vec![0_u8, 255, 10];
        let headers: Headers = [
            ("b", HeaderValue::from("1")),
            ("a", "Zürich ☂".into()),
            ("b", binary.clone().into()),
        ]
        .into_iter()
        .collect();
        let names: Vec<_> = headers.iter().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["b", "a", "b"]);
        assert_eq!(headers.text("a"), Some("Zürich ☂"));
        assert_eq!(
            headers.get("b").map(|v| v.as_bytes().to_vec()),
            Some(binary)
        );
        assert_eq!(headers.get_all("b").count(), 2);
    }

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut headers = Headers::new();
        headers.append("a", "1");
        let clone = headers.clone();
        headers.set("a", "2");
        assert_eq!(clone.text("a"), Some("1"));
        assert_eq!(headers.text("a"), Some("2"));
        assert_eq!(headers.len(), 1);
    }
}
