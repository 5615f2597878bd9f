//! How a node passes through serde, in both directions.

use crate::config::{Node, Value};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

/// The name by which the decoder knows that a node is wanted as it is.
pub(super) const NODE: &str = "$mq::Node";
/// The name of the field that takes the keys which its struct does not name.
pub(super) const REST: &str = "$rest";

thread_local! {
    /// The node on its way from the decoder to the visitor: serde's data model has no place for it.
    static ON_ITS_WAY: Cell<Option<Node>> = const { Cell::new(None) };
}

/// Hands a node over as it is, with path and origin.
pub(super) fn hand_over<'de, V: Visitor<'de>, E: Error>(
    node: &Node,
    visitor: V,
) -> Result<V::Value, E> {
    ON_ITS_WAY.set(Some(node.clone()));
    let taken = visitor.visit_unit();
    drop(ON_ITS_WAY.take());
    taken
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NODE, NodeVisitor)
    }
}

/// Takes a node as it is from our decoder, and builds one without origins from any other.
struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(ON_ITS_WAY.take().unwrap_or_default())
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Node, D::Error> {
        inner.deserialize_any(Self)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::from(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::from(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            list.push(entry);
        }
        Ok(Node::from(Value::List(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut table = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry()? {
            table.insert(key, value);
        }
        Ok(Node::from(Value::Table(table)))
    }
}

/// As its value, without secrets.
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Text(text) => serializer.serialize_str(&self.ledger.shown(&self.path, text)),
            Value::List(list) => list.serialize(serializer),
            Value::Table(table) => table.serialize(serializer),
            hidden if self.ledger.is_hidden(&self.path) && *hidden != Value::Null => {
                serializer.serialize_str("***")
            }
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Integer(value) => serializer.serialize_i64(*value),
            Value::Float(value) => serializer.serialize_f64(*value),
        }
    }
}
