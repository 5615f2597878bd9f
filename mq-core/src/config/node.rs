//! The tree of settings.

use super::ledger::Ledger;
use super::problem::Place;
use super::{KeyPath, Origin, Problem, Problems, Segment, Value};
use crate::policy::OutOfRange;
use serde::de::DeserializeOwned;
use std::fmt;

/// A value of the settings, with the path of its key and where it came from.
///
/// A binder or a store gets its own keys as a node, and decodes them into its own struct:
///
/// ```
/// use mq_core::config::Config;
///
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Own { brokers: Vec<String> }
///
/// let config = Config::toml("[binders.main]\nkind = 'kafka'\nbroker = ['kafka-1:9092']");
/// let (settings, _warnings) = config.settings()?;
/// let problems = settings.binders["main"].rest.decode::<Own>().err().expect("a typo and a missing key");
/// assert_eq!(problems.len(), 2);
/// # Ok::<(), mq_core::config::Problems>(())
/// ```
#[derive(Clone, Default)]
pub struct Node {
    pub(super) value: Value,
    pub(super) path: KeyPath,
    pub(super) origin: Origin,
    pub(super) place: Place,
    /// The text of the variable, where the value came from the environment.
    pub(super) raw: Option<String>,
    pub(super) ledger: Ledger,
}

impl Node {
    /// What it holds.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// The path of its key.
    #[must_use]
    pub const fn path(&self) -> &KeyPath {
        &self.path
    }

    /// Where it came from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether it holds nothing, or a table or list of nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::List(list) => list.is_empty(),
            Value::Table(table) => table.is_empty(),
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => false,
        }
    }

    /// The value of a key of this table. `_` and `-` are one where the exact key is not there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let table = self.value.as_table()?;
        let alike = || {
            table
                .iter()
                .find(|(name, _)| alike(name, key))
                .map(|(_, node)| node)
        };
        table.get(key).or_else(alike)
    }

    /// The value at a path that begins at this node.
    #[must_use]
    pub fn at(&self, path: &KeyPath) -> Option<&Self> {
        path.segments()
            .iter()
            .try_fold(self, |node, segment| match segment {
                Segment::Key(key) => node.get(key),
                Segment::Index(index) => node.value.as_list()?.get(*index),
            })
    }

    /// Decodes the value strictly, and reports everything that is wrong with it at once: unknown keys, wrong types,
    /// missing keys, values that cannot be read.
    ///
    /// An `Option` is `None` where the text is `"none"`. A field named `$rest` of type `Node` takes the keys that
    /// the struct does not name; a [`Secret`](super::Secret) is hidden from then on wherever settings are shown.
    ///
    /// # Errors
    /// [`Problems`], in the order of the sources and of the lines in them.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Problems> {
        match super::decode::decode(self) {
            (Some(value), problems) if problems.is_empty() => Ok(value),
            (_, problems) => Err(problems),
        }
    }

    /// A problem of the value of a key here, or of the table itself where `key` is empty, with its origin.
    ///
    /// `problem` is the rest of a sentence that begins with the key and its value: `is not an address`.
    #[must_use]
    pub fn problem(&self, key: &str, problem: &str, help: impl Into<String>) -> Problem {
        self.out_of_range(&OutOfRange::new(key, problem, help))
    }

    /// The same, for what `validate` of a policy or of a struct of one's own found.
    #[must_use]
    pub fn out_of_range(&self, found: &OutOfRange) -> Problem {
        let below = found.field.parse().unwrap_or_default();
        let (path, node) = (self.path.join(&below), self.nearest(&below));
        let named = if node.path == path {
            node.named()
        } else {
            format!("`{path}`")
        };
        Problem::new(format!("{named} {}", found.problem), found.help.clone())
            .path(path.to_string())
            .origin(node.origin.clone())
            .place(node.place)
    }

    /// How a problem begins: the path, and the value unless it is a table.
    pub(super) fn named(&self) -> String {
        match &self.value {
            Value::Table(_) => self.named_alone(),
            _ if self.path == KeyPath::root() => self.named_alone(),
            _ => format!("`{} = {}`", self.path, self.shortened()),
        }
    }

    /// The same without the value.
    pub(super) fn named_alone(&self) -> String {
        if self.path == KeyPath::root() {
            "what the settings hold".to_owned()
        } else {
            format!("`{}`", self.path)
        }
    }

    /// The value as TOML writes it, or its beginning.
    fn shortened(&self) -> String {
        const MOST: usize = 60;
        let text = self.to_string();
        match text.char_indices().nth(MOST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }

    /// Whether any part of it is hidden where settings are shown.
    pub(super) fn is_secret(&self) -> bool {
        self.ledger.is_secret(&self.path)
    }

    /// The node at a path that begins here, or the nearest one above it.
    pub(super) fn nearest(&self, path: &KeyPath) -> &Self {
        let mut node = self;
        for segment in path.segments() {
            let next = match segment {
                Segment::Key(key) => node.get(key),
                Segment::Index(index) => node.value.as_list().and_then(|list| list.get(*index)),
            };
            let Some(next) = next else { return node };
            node = next;
        }
        node
    }

    /// Removes the node with this path from below this one; says whether it was there.
    pub(super) fn remove(&mut self, path: &KeyPath) -> bool {
        match &mut self.value {
            Value::Table(table) => {
                let before = table.len();
                table.retain(|_, node| node.path != *path);
                table.len() < before || table.values_mut().any(|node| node.remove(path))
            }
            Value::List(list) => {
                let before = list.len();
                list.retain(|node| node.path != *path);
                list.len() < before || list.iter_mut().any(|node| node.remove(path))
            }
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {
                false
            }
        }
    }

    /// Calls `visit` for this node and everything below it.
    pub(super) fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match &self.value {
            Value::Table(table) => table.values().for_each(|node| node.walk(visit)),
            Value::List(list) => list.iter().for_each(|node| node.walk(visit)),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {
            }
        }
    }

    /// The same, with the right to change them.
    pub(super) fn walk_mut(&mut self, visit: &mut impl FnMut(&mut Self)) {
        visit(self);
        match &mut self.value {
            Value::Table(table) => table.values_mut().for_each(|node| node.walk_mut(visit)),
            Value::List(list) => list.iter_mut().for_each(|node| node.walk_mut(visit)),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {
            }
        }
    }
}

/// Whether two names are the same but for case, and for `_`, `-` and `.`, which no variable can tell apart.
pub(super) fn alike(one: &str, other: &str) -> bool {
    let plain = |c: char| {
        if matches!(c, '-' | '.') {
            '_'
        } else {
            c.to_ascii_lowercase()
        }
    };
    one.chars().map(plain).eq(other.chars().map(plain))
}

/// Two nodes are the same when their values are, wherever these came from.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<V: Into<Value>> From<V> for Node {
    fn from(value: V) -> Self {
        Self {
            value: value.into(),
            ..Self::default()
        }
    }
}

/// The value as TOML writes it, without secrets.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Text(text) => write!(f, "{:?}", self.ledger.shown(&self.path, text)),
            Value::List(_) | Value::Table(_) => write_many(f, &self.value),
            _ if self.ledger.is_hidden(&self.path) => f.write_str("***"),
            Value::Null => f.write_str("null"),
            Value::Bool(value) => value.fmt(f),
            Value::Integer(value) => value.fmt(f),
            Value::Float(value) => write!(f, "{value:?}"),
        }
    }
}

fn write_many(f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::List(list) => {
            let list: Vec<_> = list.iter().map(ToString::to_string).collect();
            write!(f, "[{}]", list.join(", "))
        }
        Value::Table(table) if !table.is_empty() => {
            let keys: Vec<_> = table
                .iter()
                .map(|(key, node)| format!("{key} = {node}"))
                .collect();
            write!(f, "{{ {} }}", keys.join(", "))
        }
        _ => f.write_str("{}"),
    }
}

/// The path, the value and the origin, without secrets.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} = {self}, {})", self.path, self.origin)
    }
}
