//! The keys of `#[stream_source(…)]`.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::{LitStr, Path};

use super::{Entries, Key, Outputs, Takes, Value, crate_path, find, read, text};
use crate::mistakes::Mistakes;

const KEYS: &[Key] = &[
    Key::new("output", Takes::Text, r#"output = "ticks""#),
    Key::new("outputs", Takes::Texts, r#"outputs = ["ticks", "prices"]"#),
    Key::new(
        "every",
        Takes::Wait(Duration::from_millis(1), Duration::MAX),
        r#"every = "1s""#,
    ),
    Key::new("name", Takes::Text, r#"name = "ticker""#),
    Key::new("crate", Takes::Path, r#"crate = "::mq""#),
    Key::later("cron", CRON),
    Key::later("zone", CRON),
];

const CRON: &str = "until then, write `every = \"1m\"` and look at the clock in the function";

/// What `#[stream_source(…)]` says.
pub(crate) struct SourceAttributes {
    /// The output bindings of an item.
    pub(crate) outputs: Outputs,
    /// The source's name, if it is not the function's.
    pub(crate) name: Option<LitStr>,
    /// The word `every`, and how often the function is called.
    pub(crate) every: Option<(Ident, Duration)>,
    /// Whether a time was given that could not be read, or is not there yet.
    pub(crate) unclear: bool,
    /// The path of the crate `mq`.
    pub(crate) krate: Path,
}

impl SourceAttributes {
    /// Reads the attribute; `None` where its syntax is wrong.
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Option<Self> {
        let entries = mistakes.take(syn::parse2::<Entries>(tokens))?.0;
        let found = read(KEYS, &entries, mistakes);
        let every = find(&found, "every").and_then(|every| match &every.value {
            Value::Wait(period, _) => Some((every.ident.clone(), *period)),
            _ => None,
        });
        let timed = |key: &Ident| key == "every" || key == "cron";
        Some(Self {
            outputs: Outputs::new(&found, mistakes),
            name: text(&found, "name"),
            unclear: every.is_none() && entries.iter().any(|entry| timed(&entry.key)),
            every,
            krate: crate_path(&found),
        })
    }
}
