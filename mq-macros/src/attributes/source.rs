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

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn a_period_is_read_and_what_is_not_there_yet_is_said() {
        let mut mistakes = Mistakes::default();
        let read =
            SourceAttributes::read(quote!(output = "ticks", every = "1m 30s"), &mut mistakes);
        let every = read.and_then(|read| read.every).map(|(_, period)| period);
        assert_eq!(every, Some(Duration::from_secs(90)));
        assert_eq!(mistakes.texts(), Vec::<String>::new());

        let mut mistakes = Mistakes::default();
        let read = SourceAttributes::read(quote!(cron = "0 6 * * *", every = "0s"), &mut mistakes);
        assert!(read.is_some_and(|read| read.unclear));
        let found = mistakes.texts();
        assert!(
            found[0].starts_with("`cron` is not there yet: "),
            "{found:?}"
        );
        assert_eq!(found[1], "`every` is out of range: write 1ms or more");
    }
}
