//! The keys of `#[stream_listener(…)]`.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::{LitStr, Path};

use super::{Entries, Entry, Found, Key, Outputs, Takes, crate_path, find, read, text};
use crate::{mistakes::Mistakes, words};

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Ranges and words are those of the settings, which check them again.
const KEYS: &[Key] = &[
    Key::new("input", Takes::Text, r#"input = "orders""#),
    Key::new("output", Takes::Text, r#"output = "invoices""#),
    Key::new(
        "outputs",
        Takes::Texts,
        r#"outputs = ["invoices", "refunds"]"#,
    ),
    Key::new("name", Takes::Text, r#"name = "bill""#),
    Key::setting(
        "batch",
        Takes::Table(BATCH),
        r#"batch(max = 500, wait = "50ms")"#,
        "batch",
    ),
    Key::setting("group", Takes::Text, r#"group = "billing""#, "group"),
    Key::setting(
        "concurrency",
        Takes::Whole(1, 10_000),
        "concurrency = 8",
        "concurrency",
    ),
    Key::setting(
        "ordering",
        Takes::Word(&["none", "key", "partition"]),
        r#"ordering = "key""#,
        "ordering",
    ),
    Key::setting(
        "timeout",
        Takes::WaitOrNone(MILLISECOND, DAY),
        r#"timeout = "10s""#,
        "timeout",
    ),
    Key::setting(
        "attempts",
        Takes::Whole(1, 1000),
        "attempts = 5",
        "retry.attempts",
    ),
    Key::setting(
        "delayed",
        Takes::Waits,
        r#"delayed = ["1m", "10m"]"#,
        "retry.delayed",
    ),
    Key::setting(
        "exhausted",
        Takes::Word(EXHAUSTED),
        r#"exhausted = "stop""#,
        "exhausted",
    ),
    Key::setting(
        "idempotency",
        Takes::Text,
        r#"idempotency = "shop-db""#,
        "idempotency",
    ),
    Key::setting("require_key", Takes::Flag, "require_key", "require_key"),
    Key::setting(
        "start",
        Takes::Word(&["earliest", "latest"]),
        r#"start = "latest""#,
        "start",
    ),
    Key::new("crate", Takes::Path, r#"crate = "::mq""#),
    Key::later("condition", ROUTING),
    Key::later("order", ROUTING),
    Key::later("unmatched", ROUTING),
];

const BATCH: &[Key] = &[
    Key::new("max", Takes::Whole(1, 100_000), "max = 500"),
    Key::new(
        "wait",
        Takes::Wait(Duration::ZERO, HOUR),
        r#"wait = "50ms""#,
    ),
];

const EXHAUSTED: &[&str] = &["dead_letter", "stop", "requeue", "discard"];

const ROUTING: &str = "until an input can have several listeners, decide inside of one function";

/// What `#[stream_listener(…)]` says.
pub(crate) struct ListenerAttributes {
    /// The input binding.
    pub(crate) input: LitStr,
    /// The output bindings of the return value.
    pub(crate) outputs: Outputs,
    /// The listener's name, if it is not the function's.
    pub(crate) name: Option<LitStr>,
    /// The word `batch`, if it is there.
    pub(crate) batch: Option<Ident>,
    /// Settings of the input binding, as key and TOML value.
    pub(crate) settings: Vec<(&'static str, String)>,
    /// The path of the crate `mq`.
    pub(crate) krate: Path,
}

impl ListenerAttributes {
    /// Reads the attribute; `None` after mistakes that leave nothing to go on with.
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Option<Self> {
        let entries = mistakes.take(syn::parse2::<Entries>(tokens.clone()))?.0;
        let found = read(KEYS, &entries, mistakes);
        let outputs = Outputs::new(&found, mistakes);
        if !entries.iter().any(is_input) {
            mistakes.at(tokens, "a listener has an input: add `input = \"orders\"`");
        }
        Some(Self {
            input: text(&found, "input")?,
            outputs,
            name: text(&found, "name"),
            batch: find(&found, "batch").map(|found| found.ident.clone()),
            settings: found.iter().filter_map(setting).collect(),
            krate: crate_path(&found),
        })
    }
}

/// Whether this is `input`, or was to be: one mistake is enough.
fn is_input(entry: &Entry) -> bool {
    let names = KEYS.iter().map(|key| key.name);
    words::nearest(&entry.key.to_string(), names) == Some("input")
}

fn setting(found: &Found) -> Option<(&'static str, String)> {
    let empty = matches!(&found.value, super::Value::Table(keys) if keys.is_empty());
    found
        .key
        .setting
        .filter(|_| !empty)
        .map(|path| (path, found.value.to_toml()))
}
