//! What a node holds.

use super::{KeyPath, Node, document::Document};
use crate::units::Short;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a [`Node`] holds. Values of Rust turn into it with `into()`.
///
/// ```
/// use mq_core::config::Value;
/// use std::time::Duration;
/// assert_eq!(Value::from(Duration::from_secs(60)), Value::from("1m"));
/// let retry = Value::table([("attempts", Value::from(5)), ("initial", "100ms".into())]);
/// assert!(matches!(retry, Value::Table(_)));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// A text; durations, sizes and times are texts too.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(BTreeMap<String, Node>),
}

impl Value {
    /// Reads a value as TOML writes it (`4`, `"10s"`, `["1m"]`); what TOML cannot read is a text as it is.
    #[must_use]
    pub fn from_toml(text: &str) -> Self {
        let document = Document::new("value", text, 0);
        super::toml::parse_value(&document, &KeyPath::default()).unwrap_or_else(|| Self::from(text))
    }

    /// A table of these keys.
    pub fn table<K: Into<String>, V: Into<Self>>(keys: impl IntoIterator<Item = (K, V)>) -> Self {
        let nodes = keys
            .into_iter()
            .map(|(key, value)| (key.into(), Node::from(value.into())));
        Self::Table(nodes.collect())
    }

    /// The table, if it is one.
    #[must_use]
    pub const fn as_table(&self) -> Option<&BTreeMap<String, Node>> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The list, if it is one.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Node]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// As text: `"1m"`.
impl From<Duration> for Value {
    fn from(value: Duration) -> Self {
        Self::Text(Short(value).to_string())
    }
}

/// `None` is `"none"`, which turns an optional setting off.
impl<V: Into<Self>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or_else(|| Self::from("none"), Into::into)
    }
}

impl<V: Into<Self>> From<Vec<V>> for Value {
    fn from(value: Vec<V>) -> Self {
        Self::List(
            value
                .into_iter()
                .map(|one| Node::from(one.into()))
                .collect(),
        )
    }
}

impl<V: Into<Self>, const N: usize> From<[V; N]> for Value {
    fn from(value: [V; N]) -> Self {
        Self::List(
            value
                .into_iter()
                .map(|one| Node::from(one.into()))
                .collect(),
        )
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value {
            fn from(value: $number) -> Self {
                Self::Integer(i64::from(value))
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, i8, i16, i32, i64);

/// A number over `i64::MAX` becomes that: no setting allows as much.
impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

/// A number over `i64::MAX` becomes that: no setting allows as much.
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
