//! Layers into one tree.

use super::{KeyPath, Node, Segment, Value};
use std::collections::BTreeMap;

/// Keys that may be written as one text, and the key of their table that the text stands for.
const SHORT_FORMS: [(&str, &str); 1] = [("idempotency", "store")];

/// Lays a stronger tree over a weaker one: tables are merged key by key, everything else is replaced.
///
/// A table under `binders` or `stores` whose `kind` changes is replaced as a whole, since the keys of one kind mean
/// nothing to another. A blank table says nothing.
pub(super) fn merge(weak: &mut Node, strong: Node) {
    if changes_kind(weak, &strong) {
        *weak = strong;
        return;
    }
    expand_short_form(weak, &strong);
    match (&mut weak.value, strong.value) {
        (Value::Table(_), Value::Null) => {}
        (Value::Table(weak), Value::Table(strong)) => merge_keys(weak, strong),
        (_, value) => *weak = Node { value, ..strong },
    }
}

fn merge_keys(weak: &mut BTreeMap<String, Node>, strong: BTreeMap<String, Node>) {
    for (key, node) in strong {
        match weak.get_mut(&key) {
            Some(under) => merge(under, node),
            None => drop(weak.insert(key, node)),
        }
    }
}

fn changes_kind(weak: &Node, strong: &Node) -> bool {
    let [Segment::Key(section), Segment::Key(_)] = strong.path.segments() else {
        return false;
    };
    let kinds = (weak.get("kind"), strong.get("kind"));
    matches!(section.as_str(), "binders" | "stores")
        && matches!(kinds, (Some(weak), Some(strong)) if weak != strong)
}

/// `idempotency = "shop-db"` below `idempotency = { ttl = "1d" }` is a table with the store.
fn expand_short_form(weak: &mut Node, strong: &Node) {
    let key = weak.path.last_key();
    let form = SHORT_FORMS.iter().find(|(name, _)| Some(*name) == key);
    let ((_, inner), Value::Text(text), Value::Table(_)) =
        (form.unwrap_or(&("", "")), &weak.value, &strong.value)
    else {
        return;
    };
    if form.is_some() && text != "none" {
        let store = Node {
            path: weak.path.key(*inner),
            ..weak.clone()
        };
        weak.value = Value::Table([((*inner).to_owned(), store)].into());
    }
}

/// Puts a node at its path into a tree of its own layer.
pub(super) fn plant(tree: &mut Node, mut node: Node) {
    let path = node.path.clone();
    settle(&mut node, &path);
    let mut branch = node;
    while let Some(parent) = branch.path.parent() {
        let Some(key) = branch.path.last_key().map(str::to_owned) else {
            break;
        };
        let (origin, place, ledger) = (branch.origin.clone(), branch.place, branch.ledger.clone());
        let value = Value::Table([(key, branch)].into());
        branch = Node {
            value,
            path: parent,
            origin,
            place,
            ledger,
            raw: None,
        };
    }
    merge(tree, branch);
}

/// Gives a node and everything below it the right path, and the origin and place of the node.
fn settle(node: &mut Node, path: &KeyPath) {
    node.path = path.clone();
    let (origin, place) = (node.origin.clone(), node.place);
    let adopt = |child: &mut Node, path: KeyPath| {
        (child.origin, child.place) = (origin.clone(), place);
        settle(child, &path);
    };
    match &mut node.value {
        Value::Table(table) => table
            .iter_mut()
            .for_each(|(key, child)| adopt(child, path.key(key.as_str()))),
        Value::List(list) => list
            .iter_mut()
            .enumerate()
            .for_each(|(index, child)| adopt(child, path.index(index))),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::super::toml;
    use super::*;

    fn layers(texts: &[&str]) -> Node {
        let mut tree = Node::from(Value::table::<String, Value>([]));
        for (layer, text) in (0..).zip(texts) {
            merge(
                &mut tree,
                toml::parse(&Document::new("layer", text, layer)).expect("good toml"),
            );
        }
        tree
    }

    fn check(texts: &[&str], expected: &str) {
        assert_eq!(layers(texts), layers(&[expected]));
    }

    #[test]
    fn tables_are_merged_and_everything_else_is_replaced() {
        check(
            &["a = 1\n[t]\nx = 1\nlist = [1, 2]", "[t]\ny = 2\nlist = [3]"],
            "a = 1\nt = { x = 1, y = 2, list = [3] }",
        );
        check(&["t = { x = 1 }", "t = 'none'"], "t = 'none'");
        check(&["t = 'none'", "t = { x = 1 }"], "t = { x = 1 }");
    }

    #[test]
    fn another_kind_replaces_the_whole_binder() {
        let broker = "[binders.main]\nkind = 'broker'\npath = 'data'";
        check(
            &[broker, "[binders.main]\nkind = 'kafka'\nx = 1"],
            "[binders.main]\nkind = 'kafka'\nx = 1",
        );
        check(
            &[broker, "[binders.main]\nkind = 'broker'\nx = 1"],
            &format!("{broker}\nx = 1"),
        );
        check(
            &[broker, "[binders.main]\npath = 'other'"],
            "[binders.main]\nkind = 'broker'\npath = 'other'",
        );
    }

    #[test]
    fn a_short_form_and_a_table_become_one_table() {
        check(
            &["c.idempotency = 'db'", "c.idempotency.ttl = '1d'"],
            "c.idempotency = { store = 'db', ttl = '1d' }",
        );
        check(
            &["c.idempotency = 'none'", "c.idempotency.ttl = '1d'"],
            "c.idempotency = { ttl = '1d' }",
        );
        check(
            &["c.other = 'db'", "c.other.ttl = '1d'"],
            "c.other = { ttl = '1d' }",
        );
    }

    #[test]
    fn each_value_keeps_its_own_place() {
        let tree = layers(&["[t]\nx = 1", "\n\n[t]\ny = 2"]);
        let origin = |path: &str| {
            tree.at(&path.parse().expect("path"))
                .map(|node| node.origin.to_string())
        };
        assert_eq!(origin("t").as_deref(), Some("layer, line 1"));
        assert_eq!(origin("t.x").as_deref(), Some("layer, line 2"));
        assert_eq!(origin("t.y").as_deref(), Some("layer, line 4"));
    }
}
