//! The keys of `#[failure(…)]`.

use std::time::Duration;

use syn::{Attribute, Meta, Path};

use super::{Entries, Entry, Found, Key, Takes, Value, crate_path, read};
use crate::mistakes::Mistakes;

const KEYS: &[Key] = &[
    Key::new("retry", Takes::Mark, "retry"),
    Key::new("dead_letter", Takes::Mark, "dead_letter"),
    Key::new("discard", Takes::Mark, "discard"),
    Key::new(
        "retry_after",
        Takes::Wait(Duration::ZERO, Duration::MAX),
        r#"retry_after = "30s""#,
    ),
    Key::new("crate", Takes::Path, r#"crate = "::mq""#),
];

/// What is to happen after a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Says {
    Retry,
    RetryAfter(Duration),
    DeadLetter,
    Discard,
}

/// What the `#[failure(…)]` of a type or variant says.
pub(crate) struct FailureAttributes {
    /// The decision, if there is one.
    pub(crate) says: Option<Says>,
    /// The path of the crate `mq`.
    pub(crate) krate: Path,
}

impl FailureAttributes {
    /// Reads every `#[failure(…)]` among these attributes.
    pub(crate) fn read(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let own = attributes
            .iter()
            .filter(|one| one.path().is_ident("failure"));
        let entries: Vec<_> = own
            .flat_map(|attribute| entries(attribute, mistakes))
            .collect();
        let found = read(KEYS, &entries, mistakes);
        Self {
            says: decision(&found, mistakes),
            krate: crate_path(&found),
        }
    }
}

fn entries(attribute: &Attribute, mistakes: &mut Mistakes) -> Vec<Entry> {
    let entries = match &attribute.meta {
        Meta::List(list) => list.parse_args::<Entries>(),
        Meta::Path(_) | Meta::NameValue(_) => Ok(Entries(Vec::new())),
    };
    let Some(Entries(entries)) = mistakes.take(entries) else {
        return Vec::new();
    };
    if entries.is_empty() {
        let message = "say what is to happen: write `#[failure(retry)]`, `(dead_letter)`, `(discard)` or `(retry_after = \"30s\")`";
        mistakes.at(attribute, message);
    }
    entries
}

fn decision(found: &[Found], mistakes: &mut Mistakes) -> Option<Says> {
    let mut decisions = found.iter().filter_map(|one| Some((one, says(one)?)));
    let (first, says) = decisions.next()?;
    if let Some((second, _)) = decisions.next() {
        let (first, name) = (first.key.name, second.key.name);
        let message = format!("`{name}` contradicts `{first}`: keep one of them");
        mistakes.at(&second.ident, message);
    }
    Some(says)
}

fn says(found: &Found) -> Option<Says> {
    match (found.key.name, &found.value) {
        ("retry", _) => Some(Says::Retry),
        ("dead_letter", _) => Some(Says::DeadLetter),
        ("discard", _) => Some(Says::Discard),
        (_, Value::Wait(delay, _)) => Some(Says::RetryAfter(*delay)),
        _ => None,
    }
}
