//! serde's view of a node.

use super::access::{ListAccess, TableAccess, TableVariant, TextVariant};
use super::error::DecodeError;
use super::findings::Findings;
use super::form;
use crate::config::nearest::quoted;
use crate::config::secret::SECRET;
use crate::config::{Node, Value};
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use std::collections::BTreeMap;

/// The text that turns an optional setting off.
const OFF: &str = "none";

/// serde's view of a node.
#[derive(Clone, Copy)]
pub(super) struct NodeDeserializer<'a> {
    pub(super) node: &'a Node,
    pub(super) findings: &'a Findings,
    /// Whether a variable's text is taken as it is, quotes included.
    literal: bool,
}

impl<'a> NodeDeserializer<'a> {
    pub(super) const fn new(node: &'a Node, findings: &'a Findings) -> Self {
        Self {
            node,
            findings,
            literal: false,
        }
    }

    /// The text, where text is wanted: a variable is never a number then.
    fn text(&self) -> Option<&'a str> {
        match (&self.node.value, self.node.raw.as_deref()) {
            (_, Some(raw)) if self.literal => Some(raw),
            (Value::Text(text), _) => Some(text),
            (Value::Null | Value::List(_) | Value::Table(_), _) => None,
            (Value::Bool(_) | Value::Integer(_) | Value::Float(_), raw) => raw,
        }
    }

    fn list(self, list: &'a [Node]) -> ListAccess<'a> {
        ListAccess::new(list, self.findings)
    }

    fn table(self, table: &'a BTreeMap<String, Node>) -> TableAccess<'a> {
        TableAccess::all(table, self.findings)
    }
}

impl<'de> Deserializer<'de> for NodeDeserializer<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_str(text),
            Value::List(list) => visitor.visit_seq(self.list(list)),
            Value::Table(table) => visitor.visit_map(self.table(table)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.text() {
            Some(text) => visitor.visit_str(text),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Null => Err(DecodeError::value(
                " has no value",
                "write one, or \"none\" to turn it off, or delete the line",
            )),
            Value::Text(text) if text == OFF => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Null => visitor.visit_map(TableAccess::empty(self.findings)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let decoded = match &self.node.value {
            Value::Null => visitor.visit_map(TableAccess::empty(self.findings)),
            Value::Table(table) => {
                visitor.visit_map(TableAccess::strict(self.node, table, fields, self.findings))
            }
            // Structs take lists by position, which is not meant for settings.
            Value::List(_) => Err(Error::invalid_type(Unexpected::Seq, &visitor)),
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {
                self.deserialize_any(visitor)
            }
        };
        decoded.map_err(|error| error.with_keys(fields))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Text(text) => visitor.visit_enum(TextVariant::new(text)),
            Value::Table(table) => {
                visitor.visit_enum(TableVariant::new(table, variants, self.findings)?)
            }
            Value::Null => Err(DecodeError::value(" has no value", one_of(variants))),
            _ => Err(DecodeError::value(" has the wrong type", one_of(variants))),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match name {
            form::NODE => form::hand_over(self.node, visitor),
            SECRET => {
                self.node.ledger.secret(self.node);
                self.literal = true;
                visitor.visit_newtype_struct(self)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier
    }
}

fn one_of(variants: &[&str]) -> String {
    format!("write one of {}", quoted(variants))
}
