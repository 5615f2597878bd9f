//! What is known about secrets, shared by all nodes of one tree.

use super::{KeyPath, Node, Origin, Problem, Value, Warning};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is shown in place of a secret.
pub(super) const HIDDEN: &str = "***";

/// Words in the name of a key whose value is a secret.
const SECRET_WORDS: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "api_key",
    "apikey",
    "private_key",
    "jaas",
];
/// Ends of names that say where something is, not what it is.
const PLACES: [&str; 6] = ["_file", "_path", "_url", "_uri", "_endpoint", "_location"];

/// Which values are secrets, and which files others can read. Clones share what they know.
///
/// A value is a secret when its name says so, or as soon as it has been decoded as a `Secret`.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    secrets: BTreeMap<KeyPath, Secrecy>,
    open_files: BTreeSet<String>,
    warnings: Vec<Warning>,
}

/// How much of a value is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    /// All of it.
    Whole,
    /// The password in an address.
    Password,
}

impl Ledger {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that others than its owner can read this file.
    pub(super) fn open_file(&self, name: String) {
        self.entries().open_files.insert(name);
    }

    /// Says that this value is a secret, because it was decoded as one.
    pub(super) fn secret(&self, node: &Node) {
        self.hide(node, Secrecy::Whole);
    }

    /// Hides what looks like a secret by its name, or like an address with a password.
    pub(super) fn guess(&self, node: &Node) {
        let Value::Text(text) = &node.value else {
            return;
        };
        let named = node.path.last_key().is_some_and(is_secret_name);
        if named && !text.is_empty() {
            self.hide(node, Secrecy::Whole);
        } else if password(text).is_some() {
            self.hide(node, Secrecy::Password);
        }
    }

    fn hide(&self, node: &Node, secrecy: Secrecy) {
        let mut entries = self.entries();
        let known = entries.secrets.get(&node.path).copied();
        if known.is_none() {
            entries.warn(node);
        }
        if known != Some(Secrecy::Whole) {
            entries.secrets.insert(node.path.clone(), secrecy);
        }
    }

    /// Whether the value of this path is hidden as a whole.
    pub(super) fn is_hidden(&self, path: &KeyPath) -> bool {
        self.entries().secrecy(path) == Some(Secrecy::Whole)
    }

    /// Whether anything of the value of this path is hidden.
    pub(super) fn is_secret(&self, path: &KeyPath) -> bool {
        self.entries().secrecy(path).is_some()
    }

    /// What may be shown of a text at this path.
    pub(super) fn shown<'a>(&self, path: &KeyPath, text: &'a str) -> Cow<'a, str> {
        match (self.entries().secrecy(path), password(text)) {
            (Some(Secrecy::Whole), _) => Cow::Borrowed(HIDDEN),
            (Some(Secrecy::Password), Some((before, after))) => {
                Cow::Owned(format!("{before}{HIDDEN}{after}"))
            }
            (Some(Secrecy::Password) | None, _) => Cow::Borrowed(text),
        }
    }

    /// What should be changed, as far as it is known.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        self.entries().warnings.clone()
    }
}

impl Entries {
    /// How much of this value is hidden: as much as of it, or of anything above it.
    fn secrecy(&self, path: &KeyPath) -> Option<Secrecy> {
        let own = self.secrets.get(path).copied();
        own.or_else(|| self.secrecy(&path.parent()?))
    }

    fn warn(&mut self, node: &Node) {
        let Origin::File { name, .. } = &node.origin else {
            return;
        };
        if !self.open_files.contains(name) {
            return;
        }
        let message = format!(
            "`{}` is a secret in plain text in a file that others can read",
            node.path
        );
        let help = format!(
            "run `chmod 600 {name}`, or set {} in the environment instead",
            node.path.variable()
        );
        let problem = Problem::new(message, help)
            .path(node.path.to_string())
            .origin(node.origin.clone());
        self.warnings.push(Warning::new(problem));
    }
}

fn is_secret_name(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace(['-', '.'], "_");
    SECRET_WORDS.iter().any(|word| key.contains(word))
        && !PLACES.iter().any(|end| key.ends_with(end))
}

/// What stands before and after the password of an address such as `postgres://app:pass@host/db`.
fn password(text: &str) -> Option<(&str, &str)> {
    let scheme = text.find("://")? + 3;
    let authority = text[scheme..]
        .find(['/', '?', '#'])
        .map_or(text.len(), |end| scheme + end);
    let at = scheme + text[scheme..authority].rfind('@')?;
    let colon = scheme + text[scheme..at].find(':')? + 1;
    (colon < at).then(|| (&text[..colon], &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_an_address_is_found() {
        assert_eq!(
            password("postgres://app:pass@db/shop?x=a:b@c"),
            Some(("postgres://app:", "@db/shop?x=a:b@c"))
        );
        assert_eq!(password("amqp://u:p@ss@host"), Some(("amqp://u:", "@host")));
        for text in [
            "postgres://db/shop",
            "postgres://app@db",
            "postgres://app:@db",
            "http://h/a:b@c",
            "plain",
        ] {
            assert_eq!(password(text), None, "{text}");
        }
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for key in [
            "password",
            "sasl.password",
            "client-secret",
            "SASL_JAAS",
            "admin_token",
            "api-key",
        ] {
            assert!(is_secret_name(key), "{key}");
        }
        for key in [
            "key",
            "token_url",
            "password-file",
            "user",
            "ssl.ca.location",
            "passive",
        ] {
            assert!(!is_secret_name(key), "{key}");
        }
    }
}
