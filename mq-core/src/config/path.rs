//! The dotted path of a key.

use crate::units::Unreadable;
use std::fmt;
use std::str::FromStr;

/// One step of a [`KeyPath`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Segment {
    /// A key of a table.
    Key(String),
    /// A place in a list, from 0.
    Index(usize),
}

/// The path of a key: `bindings.orders.consumer.retry.delayed[1]`.
///
/// Keys with other characters than letters, digits, `_` and `-` are quoted, as in TOML: `bindings."shop.orders".group`.
///
/// ```
/// use mq_core::config::KeyPath;
/// let path: KeyPath = r#"bindings."shop.orders".group"#.parse()?;
/// assert_eq!(path.segments().len(), 3);
/// assert_eq!(path.to_string(), r#"bindings."shop.orders".group"#);
/// # Ok::<(), mq_core::units::Unreadable>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct KeyPath(Vec<Segment>);

impl KeyPath {
    /// The path of the whole tree.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// The path of the key `key` in the table here.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.step(Segment::Key(key.into()))
    }

    /// The path of a place in the list here.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.step(Segment::Index(index))
    }

    fn step(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    /// The path and what stands behind it: `a.b` joined with `c.d` is `a.b.c.d`.
    #[must_use]
    pub fn join(&self, rest: &Self) -> Self {
        Self(self.0.iter().chain(&rest.0).cloned().collect())
    }

    /// The path of the table or list that holds this; none for the whole tree.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, parent) = self.0.split_last()?;
        Some(Self(parent.to_vec()))
    }

    /// The steps.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The last key; none for the whole tree and for a place in a list.
    #[must_use]
    pub fn last_key(&self) -> Option<&str> {
        match self.0.last()? {
            Segment::Key(key) => Some(key),
            Segment::Index(_) => None,
        }
    }

    /// The variable that sets this key: `MQ__BINDINGS__ORDERS__GROUP`. For a place in a list, that of the whole list.
    #[must_use]
    pub fn variable(&self) -> String {
        let keys = self.0.iter().map_while(|segment| match segment {
            Segment::Key(key) => Some(key.to_uppercase().replace(['-', '.'], "_")),
            Segment::Index(_) => None,
        });
        std::iter::once("MQ".to_owned())
            .chain(keys)
            .collect::<Vec<_>>()
            .join("__")
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    let dot = if place == 0 { "" } else { "." };
                    if is_bare(key) {
                        write!(f, "{dot}{key}")?;
                    } else {
                        write!(f, "{dot}{}", serde_json::Value::from(key.as_str()))?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn is_bare(key: &str) -> bool {
    !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

impl FromStr for KeyPath {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let unreadable = || {
            Unreadable::new(
                "is not a key",
                "write it as `bindings.orders.group`, and names with dots in quotes",
            )
        };
        let mut segments = Vec::new();
        let mut rest = Some(text);
        while let Some(text) = rest {
            let (key, after) = first_key(text).ok_or_else(unreadable)?;
            segments.push(Segment::Key(key));
            rest = after;
        }
        Ok(Self(segments))
    }
}

/// Splits off the first key, quoted or bare, and says what follows its dot.
fn first_key(text: &str) -> Option<(String, Option<&str>)> {
    let (key, after) = if text.starts_with('"') {
        quoted_key(text)?
    } else {
        let (key, after) = text.split_at(text.find('.').unwrap_or(text.len()));
        (!key.is_empty()).then(|| (key.to_owned(), after))?
    };
    let after = if after.is_empty() {
        None
    } else {
        Some(after.strip_prefix('.')?)
    };
    Some((key, after))
}

/// Splits off a quoted key. The quotes and escapes of JSON are those of TOML.
fn quoted_key(text: &str) -> Option<(String, &str)> {
    let mut keys = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let key = keys.next()?.ok()?;
    Some((key, &text[keys.byte_offset()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_back_as_it_is_written() {
        for text in [
            "app",
            "bindings.orders.consumer.retry",
            r#"bindings."shop.orders".group"#,
            r#""a b""#,
            r#"a."say \"hi\"\n\\".b"#,
            r#"a."""#,
            "größe.x-1",
        ] {
            let path: KeyPath = text.parse().expect(text);
            assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn a_broken_path_is_refused() {
        for text in ["", ".", "a.", ".a", "a..b", r#""a"#, r#""a"b"#] {
            assert!(text.parse::<KeyPath>().is_err(), "{text}");
        }
    }

    #[test]
    fn places_in_lists_are_in_brackets() {
        let path = KeyPath::root().key("retry").key("delayed").index(1);
        assert_eq!(path.to_string(), "retry.delayed[1]");
        assert_eq!(
            path.parent().map(|parent| parent.to_string()).as_deref(),
            Some("retry.delayed")
        );
    }

    #[test]
    fn the_variable_of_a_key_is_in_capitals() {
        let path: KeyPath = "stores.shop-db.url".parse().expect("path");
        assert_eq!(path.variable(), "MQ__STORES__SHOP_DB__URL");
    }
}
