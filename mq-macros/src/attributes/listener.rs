//! The keys of `#[stream_listener(…)]`.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::{LitStr, Path};

use super::{Entries, Entry, Found, Given, Key, Outputs, Takes, crate_path, find, read, text};
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
    matches!(entry.given, Given::Alone(_))
        || words::nearest(&entry.key.to_string(), names) == Some("input")
}

fn setting(found: &Found) -> Option<(&'static str, String)> {
    let empty = matches!(&found.value, super::Value::Table(keys) if keys.is_empty());
    found
        .key
        .setting
        .filter(|_| !empty)
        .map(|path| (path, found.value.to_toml()))
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn read_good(tokens: TokenStream) -> ListenerAttributes {
        let mut mistakes = Mistakes::default();
        let read = ListenerAttributes::read(tokens, &mut mistakes);
        assert_eq!(mistakes.texts(), Vec::<String>::new());
        read.expect("has an input")
    }

    fn mistakes_of(tokens: TokenStream) -> Vec<String> {
        let mut mistakes = Mistakes::default();
        ListenerAttributes::read(tokens, &mut mistakes);
        mistakes.texts()
    }

    #[test]
    fn settings_become_toml() {
        let read = read_good(quote! {
            input = "orders", group = "a \"b\" \\", concurrency = 4, timeout = "none", attempts = 5,
            delayed = ["1m", "10m"], require_key, batch(max = 500, wait = "50ms"),
        });
        let expected = [
            ("group", r#""a \"b\" \\""#),
            ("concurrency", "4"),
            ("timeout", r#""none""#),
            ("retry.attempts", "5"),
            ("retry.delayed", r#"["1m", "10m"]"#),
            ("require_key", "true"),
            ("batch", r#"{ max = 500, wait = "50ms" }"#),
        ];
        let expected: Vec<_> = expected.map(|(key, toml)| (key, toml.to_owned())).into();
        assert_eq!(read.settings, expected);
        assert!(read.batch.is_some());
    }

    #[test]
    fn a_bare_batch_sets_nothing() {
        let read = read_good(quote!(input = "orders", batch));
        assert!(read.batch.is_some());
        assert_eq!(read.settings, []);
    }

    #[test]
    fn outputs_keep_their_order() {
        let read = read_good(quote!(input = "orders", outputs = ["b", "a"]));
        let names: Vec<_> = read.outputs.names.iter().map(LitStr::value).collect();
        assert_eq!(names, ["b", "a"]);
    }

    #[test]
    fn all_mistakes_are_found_at_once() {
        let found = mistakes_of(quote! {
            inptu = "orders", concurrency = 0, ordering = "keys", timeout = 10, delayed = "1m", output = "", output = "x",
            batch(size = 5), require_key = "yes", unmatched = "stop", "lines"
        });
        let expected = [
            "unknown key `inptu`; did you mean `input`?",
            "`concurrency` is out of range: write 1 to 10000",
            "`ordering` cannot be `keys`; did you mean `key`?",
            "`timeout` takes a duration: write `timeout = \"10s\"`",
            "`delayed` takes a list of durations: write `delayed = [\"1m\", \"10m\"]`",
            "`output` is empty: write `output = \"invoices\"`",
            "`output` is given twice: delete one of them",
            "unknown key `size`; write one of `max` or `wait`",
            "`require_key` takes `true` or `false`: write `require_key`",
            "`unmatched` is not there yet: until an input can have several listeners, decide inside of one function",
            "this value has no key: write it as in `input = \"orders\"`",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn values_are_checked_as_the_settings_do() {
        let check = |tokens: TokenStream, expected: &str| {
            assert_eq!(mistakes_of(quote!(input = "orders", #tokens)), [expected]);
        };
        check(
            quote!(timeout = "2d"),
            "`timeout` is out of range: write 1ms to 1day",
        );
        check(
            quote!(attempts = -1),
            "`attempts` is out of range: write 1 to 1000",
        );
        check(
            quote!(delayed = ["0s"]),
            "`delayed` is out of range: write 1ms or more",
        );
        check(
            quote!(delayed = []),
            "`delayed` is empty: write `delayed = [\"1m\", \"10m\"]`",
        );
        check(
            quote!(outputs = ["a"], output = "b"),
            "`output` and `outputs` exclude each other: put every name into `outputs`",
        );
        check(
            quote!(batch = 500),
            "`batch` takes keys in parentheses: write `batch(max = 500, wait = \"50ms\")`",
        );
        check(
            quote!(group),
            "`group` takes a text: write `group = \"billing\"`",
        );
        check(
            quote!(group("billing")),
            "`group` takes a text: write `group = \"billing\"`",
        );
    }

    #[test]
    fn an_input_must_be_there() {
        assert_eq!(
            mistakes_of(TokenStream::new()),
            ["a listener has an input: add `input = \"orders\"`"]
        );
        assert_eq!(mistakes_of(quote!(input = orders)).len(), 1);
    }
}
