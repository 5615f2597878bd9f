//! serde's view of the parts of a node.

use super::deserializer::NodeDeserializer;
use super::error::DecodeError;
use super::findings::Findings;
use super::form::REST;
use crate::config::nearest::quoted;
use crate::config::node::alike;
use crate::config::{Node, Origin, Value};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use std::borrow::Cow;
use std::collections::BTreeMap;

type Table = BTreeMap<String, Node>;

/// Decodes a part, and says where it went wrong if it did.
fn decode_part<'de, S: DeserializeSeed<'de>>(
    node: &Node,
    findings: &Findings,
    seed: S,
) -> Result<S::Value, DecodeError> {
    let decoded = seed.deserialize(NodeDeserializer::new(node, findings));
    decoded.map_err(|error| error.at(&node.path))
}

/// The entries of a list.
pub(super) struct ListAccess<'a> {
    entries: std::slice::Iter<'a, Node>,
    findings: &'a Findings,
}

impl<'a> ListAccess<'a> {
    pub(super) fn new(list: &'a [Node], findings: &'a Findings) -> Self {
        Self {
            entries: list.iter(),
            findings,
        }
    }
}

impl<'de> SeqAccess<'de> for ListAccess<'_> {
    type Error = DecodeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        let next = self.entries.next();
        next.map(|node| decode_part(node, self.findings, seed))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// The keys of a table, and their values.
pub(super) struct TableAccess<'a> {
    entries: std::vec::IntoIter<(&'a str, Cow<'a, Node>)>,
    value: Option<Cow<'a, Node>>,
    findings: &'a Findings,
}

impl<'a> TableAccess<'a> {
    fn new(entries: Vec<(&'a str, Cow<'a, Node>)>, findings: &'a Findings) -> Self {
        Self {
            entries: entries.into_iter(),
            value: None,
            findings,
        }
    }

    pub(super) fn empty(findings: &'a Findings) -> Self {
        Self::new(Vec::new(), findings)
    }

    /// Every key.
    pub(super) fn all(table: &'a Table, findings: &'a Findings) -> Self {
        let entries = table
            .iter()
            .map(|(key, node)| (key.as_str(), Cow::Borrowed(node)));
        Self::new(entries.collect(), findings)
    }

    /// The keys that a struct has. Others go into its `$rest`, or are noted as unknown.
    pub(super) fn strict(
        node: &Node,
        table: &'a Table,
        fields: &'static [&'static str],
        findings: &'a Findings,
    ) -> Self {
        let mut entries = Vec::new();
        let mut rest = Table::new();
        let takes_rest = fields.contains(&REST);
        for (key, value) in table {
            match field(key, value, fields) {
                Some(field) => entries.push((field, Cow::Borrowed(value))),
                None if takes_rest => drop(rest.insert(key.clone(), value.clone())),
                None => findings.unknown_key(value, key, fields),
            }
        }
        if takes_rest {
            let rest = Node {
                value: Value::Table(rest),
                ..node.clone()
            };
            entries.push((REST, Cow::Owned(rest)));
        }
        Self::new(entries, findings)
    }
}

/// The field of a struct that a key names. A variable cannot tell `_` from `-`, nor capitals from small letters.
fn field(key: &str, value: &Node, fields: &'static [&'static str]) -> Option<&'static str> {
    let exact = fields.iter().find(|field| **field == key);
    let from_variable = matches!(value.origin, Origin::Environment { .. });
    let near = || {
        fields
            .iter()
            .find(|field| from_variable && alike(field, key))
    };
    exact.or_else(near).copied()
}

impl<'de> MapAccess<'de> for TableAccess<'_> {
    type Error = DecodeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        let key = seed
            .deserialize(key.into_deserializer())
            .map_err(|error: DecodeError| error.at(&value.path))?;
        self.value = Some(value);
        Ok(Some(key))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        match self.value.take() {
            Some(node) => decode_part(&node, self.findings, seed),
            None => Err(DecodeError::custom("asked for a value before its key")),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// A choice that is written as a word.
pub(super) struct TextVariant<'a>(&'a str);

impl<'a> TextVariant<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    fn needs_a_value<T>(&self) -> Result<T, DecodeError> {
        Err(DecodeError::value(
            " needs a value",
            format!("write `{{ {} = … }}`", self.0),
        ))
    }
}

impl<'de> EnumAccess<'de> for TextVariant<'_> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), DecodeError> {
        let name: StrDeserializer<'_, DecodeError> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for TextVariant<'_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, _: S) -> Result<S::Value, DecodeError> {
        self.needs_a_value()
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, DecodeError> {
        self.needs_a_value()
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, DecodeError> {
        self.needs_a_value()
    }
}

/// A choice that is written as a table of one key: `{ position = 42 }`.
pub(super) struct TableVariant<'a> {
    name: &'a str,
    value: &'a Node,
    findings: &'a Findings,
}

impl<'a> TableVariant<'a> {
    pub(super) fn new(
        table: &'a Table,
        variants: &[&str],
        findings: &'a Findings,
    ) -> Result<Self, DecodeError> {
        let mut keys = table.iter();
        match (keys.next(), keys.next()) {
            (Some((name, value)), None) => Ok(Self {
                name,
                value,
                findings,
            }),
            _ => Err(DecodeError::value(
                " has to have one key",
                format!("write one of {}", quoted(variants)),
            )),
        }
    }
}

impl<'de> EnumAccess<'de> for TableVariant<'_> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), DecodeError> {
        let name: StrDeserializer<'_, DecodeError> = self.name.into_deserializer();
        let variant = seed
            .deserialize(name)
            .map_err(|error| error.at(&self.value.path))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for TableVariant<'_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Err(DecodeError::value(
            " takes no value",
            format!("write just \"{}\"", self.name),
        ))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        decode_part(self.value, self.findings, seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.value.value {
            Value::List(list) => visitor.visit_seq(ListAccess::new(list, self.findings)),
            _ => Err(Error::invalid_type(Unexpected::Other("no list"), &visitor)),
        }
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let node = NodeDeserializer::new(self.value, self.findings);
        let decoded = serde::Deserializer::deserialize_struct(node, "", fields, visitor);
        decoded.map_err(|error| error.at(&self.value.path))
    }
}
