//! Every effective value, and where it came from.

use super::{KeyPath, Node, Origin, Settings, Value, decode};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt;

/// Every effective value and where it came from, secrets as `***`, by path.
///
/// ```
/// use mq_core::config::Config;
/// let explanation = Config::toml("[app]\nname = 'billing'\ndrain = '5s'").explain();
/// assert_eq!(explanation.to_string(), "\
/// app.drain           = \"5s\"       # toml text, line 3
/// app.name            = \"billing\"  # toml text, line 2
/// app.strict_bindings = false      # default
/// ");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation(Vec<Explained>);

/// One effective value, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explained {
    /// The dotted path of the key.
    pub path: String,
    /// The value as TOML writes it; `unset` where there is none.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl Explanation {
    pub(super) fn of(tree: &Node) -> Self {
        let mut leaves = BTreeMap::new();
        if let (Some(settings), _) = decode::decode::<Settings>(tree)
            && let Ok(json) = serde_json::to_value(&settings)
        {
            defaults(&KeyPath::root(), &json, &mut leaves);
        }
        leaves.retain(|path, _| tree.at(path).is_none() && !is_replaced(tree, path));
        set(tree, &mut leaves);
        Self(leaves.into_values().collect())
    }

    /// The values by path.
    pub fn iter(&self) -> std::slice::Iter<'_, Explained> {
        self.0.iter()
    }
}

/// Collects what was set.
fn set(node: &Node, leaves: &mut BTreeMap<KeyPath, Explained>) {
    match &node.value {
        Value::Table(table) => table.values().for_each(|node| set(node, leaves)),
        Value::Null => {}
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::List(_) => {
            let (path, value, origin) =
                (node.path.to_string(), node.to_string(), node.origin.clone());
            leaves.insert(
                node.path.clone(),
                Explained {
                    path,
                    value,
                    origin,
                },
            );
        }
    }
}

/// Collects what the settings hold, as if all of it were defaults.
fn defaults(path: &KeyPath, json: &Json, leaves: &mut BTreeMap<KeyPath, Explained>) {
    match json {
        Json::Object(table) => {
            let below = |key: &str| {
                if key == "$rest" {
                    path.clone()
                } else {
                    path.key(key)
                }
            };
            table
                .iter()
                .for_each(|(key, json)| defaults(&below(key), json, leaves));
        }
        Json::Null => drop(leaves.insert(path.clone(), default(path, "unset".to_owned()))),
        _ => drop(leaves.insert(path.clone(), default(path, json.to_string()))),
    }
}

fn default(path: &KeyPath, value: String) -> Explained {
    Explained {
        path: path.to_string(),
        value,
        origin: Origin::Default,
    }
}

/// Whether something above this path was set to one value, such as the short form of a table.
fn is_replaced(tree: &Node, path: &KeyPath) -> bool {
    !matches!(tree.nearest(path).value, Value::Table(_) | Value::Null)
}

impl<'a> IntoIterator for &'a Explanation {
    type Item = &'a Explained;
    type IntoIter = std::slice::Iter<'a, Explained>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A table, which is TOML too.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = |text: fn(&Explained) -> &str| {
            self.0
                .iter()
                .map(|one| text(one).chars().count())
                .max()
                .unwrap_or(0)
        };
        let (paths, values) = (widest(|one| &one.path), widest(|one| &one.value).min(40));
        for Explained {
            path,
            value,
            origin,
        } in &self.0
        {
            writeln!(f, "{path:paths$} = {value:values$}  # {origin}")?;
        }
        Ok(())
    }
}
