//! What the decoder found wrong.

use super::error::{Cause, DecodeError};
use crate::config::nearest::suggestion;
use crate::config::{KeyPath, Node, Problem, Problems};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// What the decoder found wrong, over all its rounds.
#[derive(Debug, Default)]
pub(super) struct Findings(RefCell<Found>);

#[derive(Debug, Default)]
struct Found {
    /// Unknown keys by path: every round meets them again.
    unknown: BTreeMap<KeyPath, Problem>,
    wrong: Vec<Problem>,
    /// What has been taken out of the tree.
    removed: BTreeSet<KeyPath>,
}

impl Findings {
    /// Notes a key that the struct does not have.
    pub(super) fn unknown_key(&self, node: &Node, key: &str, keys: &[&str]) {
        let problem = Problem::new(
            format!("unknown key `{}`", node.path),
            suggestion(key, keys, "the keys here are"),
        );
        self.0
            .borrow_mut()
            .unknown
            .insert(node.path.clone(), placed(problem, node));
    }

    /// Notes what went wrong, and returns the path that has to be taken out.
    pub(super) fn note(&self, tree: &Node, error: DecodeError) -> KeyPath {
        let mut found = self.0.borrow_mut();
        let path = error.at.unwrap_or_else(|| tree.path.clone());
        if let Some(node) = find(tree, &path)
            && !found.is_consequence(&path, &error.cause)
        {
            found.wrong.push(describe(node, error.cause));
        }
        found.removed.insert(path.clone());
        path
    }

    pub(super) fn into_problems(self) -> Problems {
        let found = self.0.into_inner();
        found.unknown.into_values().chain(found.wrong).collect()
    }
}

impl Found {
    /// Whether this went wrong only because something below has been taken out before.
    fn is_consequence(&self, path: &KeyPath, cause: &Cause) -> bool {
        match cause {
            Cause::Missing(field) => self.removed.contains(&path.key(*field)),
            Cause::Value { .. } | Cause::NotATable { .. } => self
                .removed
                .iter()
                .any(|removed| removed.parent().as_ref() == Some(path)),
        }
    }
}

fn find<'a>(tree: &'a Node, path: &KeyPath) -> Option<&'a Node> {
    let mut found = None;
    tree.walk(&mut |node| {
        if node.path == *path {
            found = found.or(Some(node));
        }
    });
    found
}

fn describe(node: &Node, cause: Cause) -> Problem {
    let named = node.named();
    let problem = match cause {
        Cause::Missing(field) => Problem::new(
            format!("{} has no `{field}`", node.named_alone()),
            format!("add `{field} = …` to it"),
        ),
        // The text of another library's error may hold the value.
        Cause::Value { problem, help } if problem.starts_with(':') && node.is_secret() => {
            Problem::new(format!("{named} cannot be read"), help)
        }
        Cause::Value { problem, help } => Problem::new(format!("{named}{problem}"), help),
        Cause::NotATable { found } => Problem::new(
            format!("{named} has the wrong type"),
            format!("write a table, not {found}"),
        ),
    };
    placed(problem, node)
}

fn placed(problem: Problem, node: &Node) -> Problem {
    problem
        .path(node.path.to_string())
        .origin(node.origin.clone())
        .place(node.place)
}
