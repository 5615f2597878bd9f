//! Variables into a tree: `MQ__BINDINGS__ORDERS__GROUP=billing`.

use super::document::Document;
use super::merge::plant;
use super::node::alike;
use super::problem::Place;
use super::{KeyPath, Node, Origin, Problem, Value, toml};

/// What the names of our variables begin with; the same that separates their parts.
const PREFIX: &str = "MQ__";
const SEPARATOR: &str = "__";
/// The variable that names the profile.
pub(super) const PROFILE: &str = "MQ_PROFILE";

/// Reads the variables that are ours into one tree.
///
/// `names` holds the tree of everything else: a part of a variable's name means a name there that differs only in
/// case, `_`, `-` and `.`; where there is none, it is taken in small letters.
pub(super) fn parse(
    variables: &[(String, String)],
    names: &Node,
    layer: u32,
) -> (Node, Vec<Problem>) {
    let mut ours: Vec<_> = variables
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    ours.sort();
    let (mut tree, mut problems) = (Node::from(Value::table::<String, Value>([])), Vec::new());
    for (offset, (name, text)) in ours.into_iter().enumerate() {
        let place = Place::new(layer, offset);
        match path(name, names) {
            Ok(path) => match taken(&tree, &path) {
                Some(other) => problems.push(conflict(name, &other, &path, place)),
                None => plant(&mut tree, leaf(name, text, path, place)),
            },
            Err(problem) => problems.push(problem.origin(origin(name)).place(place)),
        }
    }
    (tree, problems)
}

fn origin(variable: &str) -> Origin {
    Origin::Environment {
        variable: variable.to_owned(),
    }
}

/// The value as TOML would read it, or the text as it is.
fn leaf(name: &str, text: &str, path: KeyPath, place: Place) -> Node {
    let document = Document::new(name, text, place.layer);
    let value = toml::parse_value(&document, &path).unwrap_or_else(|| Value::from(text));
    let mut node = Node {
        value,
        path,
        raw: Some(text.to_owned()),
        ..Node::default()
    };
    node.walk_mut(&mut |node| {
        node.origin = origin(name);
        node.place = place;
    });
    node
}

/// The path that a variable's name means.
fn path(variable: &str, names: &Node) -> Result<KeyPath, Problem> {
    let mut path = KeyPath::root();
    let mut known = Some(names);
    for part in variable[PREFIX.len()..].split(SEPARATOR) {
        if part.is_empty() {
            return Err(Problem::new(
                format!("the variable {variable} names no key"),
                "write it as MQ__BINDINGS__ORDERS__GROUP, with two `_` between the names",
            ));
        }
        let name = key(part, known).map_err(|alike| ambiguous(variable, &path, &alike))?;
        known = known.and_then(|node| node.value.as_table()?.get(&name));
        path = path.key(name);
    }
    Ok(path)
}

/// The one key that is meant by a part of a variable's name; all of them, if there are several.
fn key(part: &str, known: Option<&Node>) -> Result<String, Vec<String>> {
    let keys = known
        .and_then(|node| node.value.as_table())
        .into_iter()
        .flat_map(|table| table.keys());
    let mut meant: Vec<_> = keys.filter(|key| alike(key, part)).cloned().collect();
    match meant.pop() {
        None => Ok(part.to_lowercase()),
        Some(only) if meant.is_empty() => Ok(only),
        Some(last) => {
            meant.push(last);
            Err(meant)
        }
    }
}

fn ambiguous(variable: &str, path: &KeyPath, keys: &[String]) -> Problem {
    let paths: Vec<_> = keys
        .iter()
        .map(|key| format!("`{}`", path.key(key.as_str())))
        .collect();
    Problem::new(
        format!("the variable {variable} can mean {}", paths.join(" and ")),
        "rename one of them, or set this one in a file",
    )
}

/// The variable that has already set this key, or something above or below it.
fn taken(tree: &Node, path: &KeyPath) -> Option<Origin> {
    let node = tree.nearest(path);
    let above = !matches!(node.value, Value::Table(_)) || node.raw.is_some();
    (above || node.path == *path && !path.segments().is_empty()).then(|| node.origin.clone())
}

fn conflict(name: &str, other: &Origin, path: &KeyPath, place: Place) -> Problem {
    Problem::new(
        format!("`{path}` is set by another variable too ({other})"),
        "unset one of the two",
    )
    .path(path.to_string())
    .origin(origin(name))
    .place(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)], names: &str) -> (Node, Vec<Problem>) {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let names = toml::parse(&Document::new("names", names, 0)).expect("good toml");
        parse(&variables, &names, 1)
    }

    #[test]
    fn values_are_read_as_toml_and_else_as_text() {
        let check = |text: &str, value: Value| {
            let (tree, problems) = read(&[("MQ__X", text)], "");
            assert_eq!(
                (tree.get("x").map(Node::value), problems),
                (Some(&value), Vec::new()),
                "{text}"
            );
        };
        check("16", Value::Integer(16));
        check("true", Value::Bool(true));
        check("10s", Value::from("10s"));
        check("\"16\"", Value::from("16"));
        check("[\"a\", \"b\"]", Value::from(["a", "b"]));
        check("{ attempts = 5 }", Value::table([("attempts", 5)]));
        check("{\"json\": 1}", Value::from("{\"json\": 1}"));
        check("", Value::from(""));
    }

    #[test]
    fn names_that_exist_are_met_whatever_their_case_and_dashes() {
        let names = "[stores.Shop-DB]\n[bindings.\"shop.orders\"]\n[bindings.order_lines]";
        let check = |variable: &str, path: &str| {
            let (tree, _) = read(&[(variable, "1")], names);
            let path = path.parse().expect("path");
            assert!(
                tree.at(&path).is_some_and(|node| *node.path() == path),
                "{variable}"
            );
        };
        check("MQ__STORES__SHOP_DB__URL", "stores.Shop-DB.url");
        check(
            "MQ__BINDINGS__SHOP_ORDERS__GROUP",
            "bindings.\"shop.orders\".group",
        );
        check(
            "MQ__bindings__order_lines__group",
            "bindings.order_lines.group",
        );
        check("MQ__BINDINGS__NEW_ONE__GROUP", "bindings.new_one.group");
    }

    #[test]
    fn names_that_contradict_are_problems() {
        let check = |variables: &[(&str, &str)], names: &str, expected: &str| {
            let (_, problems) = read(variables, names);
            let found: Vec<_> = problems
                .iter()
                .map(|problem| problem.message.as_str())
                .collect();
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(expected), "{found:?}");
        };
        check(&[("MQ__A____B", "1")], "", "names no key");
        check(&[("MQ__", "1")], "", "names no key");
        check(
            &[("MQ__A__X_Y", "1")],
            "[a]\nx-y = 1\nx_y = 2",
            "`a.x-y` and `a.x_y`",
        );
        check(
            &[("MQ__APP", "1"), ("MQ__APP__NAME", "x")],
            "",
            "is set by another variable",
        );
        check(
            &[("MQ__APP__NAME", "x"), ("MQ__app__name", "x")],
            "",
            "is set by another variable",
        );
        check(
            &[("MQ__R", "{ a = 1 }"), ("MQ__R__B", "2")],
            "",
            "is set by another variable",
        );
    }

    #[test]
    fn other_variables_are_left_alone() {
        let (tree, problems) = read(&[("MQ_PROFILE", "x"), ("PATH", "y"), ("XMQ__A", "z")], "");
        assert!(tree.is_empty() && problems.is_empty());
    }
}
