//! TOML into a tree, with the line of each key.

use super::document::{Document, SyntaxError};
use super::{KeyPath, Node, Value};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// Parses a document.
pub(super) fn parse(document: &Document<'_>) -> Result<Node, Vec<SyntaxError>> {
    let (table, errors) = DeTable::parse_recoverable(document.text);
    if errors.is_empty() {
        Ok(node(
            document,
            KeyPath::root(),
            0,
            Value::Table(keys(document, &KeyPath::root(), table.get_ref())),
        ))
    } else {
        Err(errors.iter().map(syntax_error).collect())
    }
}

/// Parses what may stand behind a `=`; where that fails, it is not TOML.
pub(super) fn parse_value(document: &Document<'_>, path: &KeyPath) -> Option<Value> {
    let parsed = DeValue::parse(document.text).ok()?;
    Some(value(document, path, parsed.get_ref()))
}

fn syntax_error(error: &toml::de::Error) -> SyntaxError {
    SyntaxError {
        offset: error.span().map_or(0, |span| span.start),
        message: error.message().to_owned(),
    }
}

fn node(document: &Document<'_>, path: KeyPath, offset: usize, value: Value) -> Node {
    document.node(path, document.line(offset), offset, value)
}

fn keys(
    document: &Document<'_>,
    path: &KeyPath,
    table: &DeTable<'_>,
) -> std::collections::BTreeMap<String, Node> {
    let entry = |(key, inner): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        let path = path.key(name.as_ref());
        let value = value(document, &path, inner.get_ref());
        (
            name.to_string(),
            node(document, path, key.span().start, value),
        )
    };
    table.iter().map(entry).collect()
}

fn value(document: &Document<'_>, path: &KeyPath, value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => whole(number),
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .map_or_else(|_| Value::from(number.as_str()), Value::Float),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(list) => {
            let entry = |(index, inner): (usize, &Spanned<DeValue<'_>>)| {
                let path = path.index(index);
                let value = self::value(document, &path, inner.get_ref());
                node(document, path, inner.span().start, value)
            };
            Value::List(list.iter().enumerate().map(entry).collect())
        }
        DeValue::Table(table) => Value::Table(keys(document, path, table)),
    }
}

/// A whole number that fits, or its text, which no number takes.
fn whole(number: &DeInteger<'_>) -> Value {
    let fits = i64::from_str_radix(number.as_str(), number.radix());
    fits.map_or_else(|_| Value::Text(number.to_string()), Value::Integer)
}
