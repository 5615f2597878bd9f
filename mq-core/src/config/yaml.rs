//! YAML into a tree, with the line of each key.

use super::document::{Document, SyntaxError};
use super::{KeyPath, Node, Value};
use saphyr::{AnnotatedMapping, LoadableYamlNode, MarkedYaml, Marker, Scalar, YamlData};
use saphyr_parser::{Event, Parser, ScanError};
use std::collections::BTreeMap;

/// How deep a document may be nested: settings are not, and a deeper one would exhaust the stack.
const MOST_DEPTH: usize = 100;
/// The key that takes over the keys of other tables.
const MERGE: &str = "<<";

type Mapping<'a> = AnnotatedMapping<'a, MarkedYaml<'a>>;

/// Parses a document. An empty one is an empty table.
pub(super) fn parse(document: &Document<'_>) -> Result<Node, Vec<SyntaxError>> {
    check_shape(document).map_err(|error| vec![error])?;
    let documents = MarkedYaml::load_from_str(document.text)
        .map_err(|error| vec![scan_error(document, &error)])?;
    let reader = Reader { document };
    let value = match documents.first() {
        Some(yaml) => reader
            .value(&KeyPath::root(), yaml)
            .map_err(|error| vec![error])?,
        None => Value::Null,
    };
    match value {
        Value::Table(_) | Value::Null => Ok(document.node(KeyPath::root(), 1, 0, value)),
        _ => Err(vec![SyntaxError {
            offset: 0,
            message: "it is no table of keys".to_owned(),
        }]),
    }
}

/// Refuses what is nested too deep, and more than one document, before anything is built.
fn check_shape(document: &Document<'_>) -> Result<(), SyntaxError> {
    let (mut depth, mut documents) = (0_usize, 0_usize);
    let mut parser = Parser::new_from_str(document.text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| scan_error(document, &error))?;
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => depth -= 1,
            Event::DocumentStart(_) => documents += 1,
            _ => {}
        }
        if depth > MOST_DEPTH {
            return Err(error_at(
                document,
                span.start,
                format!("it is nested more than {MOST_DEPTH} deep"),
            ));
        }
        if documents > 1 {
            return Err(error_at(
                document,
                span.start,
                "a second document begins here",
            ));
        }
    }
    Ok(())
}

fn scan_error(document: &Document<'_>, error: &ScanError) -> SyntaxError {
    error_at(document, *error.marker(), error.info())
}

fn error_at(document: &Document<'_>, marker: Marker, message: impl Into<String>) -> SyntaxError {
    SyntaxError {
        offset: byte_offset(document.text, marker),
        message: message.into(),
    }
}

/// The marker counts characters, and we count bytes.
fn byte_offset(text: &str, marker: Marker) -> usize {
    text.char_indices()
        .nth(marker.index())
        .map_or(text.len(), |(offset, _)| offset)
}

struct Reader<'a> {
    document: &'a Document<'a>,
}

impl Reader<'_> {
    fn node(
        &self,
        path: KeyPath,
        marker: Marker,
        yaml: &MarkedYaml<'_>,
    ) -> Result<Node, SyntaxError> {
        let value = self.value(&path, yaml)?;
        let line = u32::try_from(marker.line()).unwrap_or(u32::MAX);
        Ok(self.document.node(path, line, marker.index(), value))
    }

    fn value(&self, path: &KeyPath, yaml: &MarkedYaml<'_>) -> Result<Value, SyntaxError> {
        match &yaml.data {
            YamlData::Value(scalar) => Ok(plain(scalar)),
            YamlData::Representation(text, ..) => Ok(Value::from(text.as_ref())),
            YamlData::Sequence(list) => {
                let entry = |(index, inner): (usize, &MarkedYaml<'_>)| {
                    self.node(path.index(index), inner.span.start, inner)
                };
                list.iter()
                    .enumerate()
                    .map(entry)
                    .collect::<Result<_, _>>()
                    .map(Value::List)
            }
            YamlData::Mapping(mapping) => self.table(path, mapping).map(Value::Table),
            YamlData::Tagged(tag, _) => {
                Err(self.error(yaml, format!("the tag `{tag}` means nothing here")))
            }
            YamlData::Alias(_) => Err(self.error(yaml, "the alias has no anchor")),
            YamlData::BadValue => Err(self.error(yaml, "the value does not fit its tag or anchor")),
        }
    }

    fn table(
        &self,
        path: &KeyPath,
        mapping: &Mapping<'_>,
    ) -> Result<BTreeMap<String, Node>, SyntaxError> {
        let mut table = BTreeMap::new();
        for (key, inner) in mapping {
            let name = self.key(key)?;
            if name == MERGE {
                self.take_over(path, inner, &mut table)?;
            } else {
                let node = self.node(path.key(name.as_str()), key.span.start, inner)?;
                table.insert(name, node);
            }
        }
        Ok(table)
    }

    /// Adds the keys of another table, or of several, below those that are written out.
    fn take_over(
        &self,
        path: &KeyPath,
        other: &MarkedYaml<'_>,
        table: &mut BTreeMap<String, Node>,
    ) -> Result<(), SyntaxError> {
        match &other.data {
            YamlData::Mapping(mapping) => {
                for (name, node) in self.table(path, mapping)? {
                    table.entry(name).or_insert(node);
                }
                Ok(())
            }
            YamlData::Sequence(list) => list
                .iter()
                .try_for_each(|other| self.take_over(path, other, table)),
            _ => Err(self.error(other, "`<<` takes a table, or a list of tables")),
        }
    }

    fn key(&self, key: &MarkedYaml<'_>) -> Result<String, SyntaxError> {
        match &key.data {
            YamlData::Value(Scalar::String(text)) | YamlData::Representation(text, ..) => {
                Ok(text.to_string())
            }
            YamlData::Value(Scalar::Integer(number)) => Ok(number.to_string()),
            YamlData::Value(Scalar::Boolean(value)) => Ok(value.to_string()),
            _ => Err(self.error(key, "a key has to be a text")),
        }
    }

    fn error(&self, yaml: &MarkedYaml<'_>, message: impl Into<String>) -> SyntaxError {
        error_at(self.document, yaml.span.start, message)
    }
}

fn plain(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Bool(*value),
        Scalar::Integer(number) => Value::Integer(*number),
        Scalar::FloatingPoint(number) => Value::Float(number.into_inner()),
        Scalar::String(text) => Value::Text(text.to_string()),
    }
}
