//! First phase: what the attributes say, checked key by key.

mod entry;
mod failure;
mod key;
mod listener;
mod source;
mod value;

pub(crate) use entry::{Entries, Entry, Given};
pub(crate) use failure::{FailureAttributes, Says};
pub(crate) use key::{Key, Takes};
pub(crate) use listener::ListenerAttributes;
pub(crate) use source::SourceAttributes;
pub(crate) use value::Value;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{Expr, LitStr, Path, parse_quote};

use crate::{mistakes::Mistakes, words};

/// A key that was found, with what it was given.
#[derive(Clone)]
pub(crate) struct Found {
    /// The key.
    pub(crate) key: &'static Key,
    /// The key as it is written.
    pub(crate) ident: Ident,
    /// What it was given.
    pub(crate) value: Value,
    /// What it was given, as it is written; the key where there is nothing.
    pub(crate) place: TokenStream,
}

/// Reads entries by the table of their keys: unknown, repeated and unreadable ones are mistakes.
pub(crate) fn read(keys: &'static [Key], entries: &[Entry], mistakes: &mut Mistakes) -> Vec<Found> {
    let mut seen: Vec<String> = Vec::new();
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.key.to_string();
        if seen.contains(&name) {
            let message = format!("`{name}` is given twice: delete one of them");
            mistakes.at(&entry.key, message);
            continue;
        }
        match keys.iter().find(|key| key.name == name) {
            None => mistakes.at(&entry.key, unknown(&name, keys)),
            Some(key) => {
                let value = Value::read(key, entry, mistakes);
                found.extend(value.map(|value| Found::new(key, entry, value)));
            }
        }
        seen.push(name);
    }
    found
}

fn unknown(name: &str, keys: &[Key]) -> String {
    let there = keys
        .iter()
        .filter(|key| !matches!(key.takes, Takes::Later(_)));
    let names: Vec<_> = there.map(|key| key.name).collect();
    let suggestion = words::suggestion(name, &names, "write one of");
    format!("unknown key `{name}`; {suggestion}")
}

impl Found {
    fn new(key: &'static Key, entry: &Entry, value: Value) -> Self {
        let place = match &entry.given {
            Given::Value(value) => value.to_token_stream(),
            Given::Nothing | Given::Entries(_) => entry.key.to_token_stream(),
        };
        Self {
            key,
            ident: entry.key.clone(),
            value,
            place,
        }
    }
}

fn find<'a>(found: &'a [Found], name: &str) -> Option<&'a Found> {
    found.iter().find(|one| one.key.name == name)
}

/// The text of a key.
fn text(found: &[Found], name: &str) -> Option<LitStr> {
    match &find(found, name)?.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// The outputs of a function, and where they are named.
#[derive(Default)]
pub(crate) struct Outputs {
    /// The names, in order.
    pub(crate) names: Vec<LitStr>,
    /// Where they stand, if there are any.
    pub(crate) place: Option<TokenStream>,
}

impl Outputs {
    fn new(found: &[Found], mistakes: &mut Mistakes) -> Self {
        let (one, many) = (find(found, "output"), find(found, "outputs"));
        if let (Some(_), Some(many)) = (one, many) {
            let message =
                "`output` and `outputs` exclude each other: put every name into `outputs`";
            mistakes.at(&many.ident, message);
        }
        let Some(given) = one.or(many) else {
            return Self::default();
        };
        let names = match &given.value {
            Value::Text(name) => vec![name.clone()],
            Value::Texts(names) => names.clone(),
            _ => Vec::new(),
        };
        Self {
            names,
            place: Some(given.place.clone()),
        }
    }
}

/// The path of the crate `mq`: `crate = "…"`, or `::mq`.
fn crate_path(found: &[Found]) -> Path {
    match find(found, "crate").map(|found| &found.value) {
        Some(Value::Path(path)) => path.clone(),
        _ => parse_quote!(::mq),
    }
}

/// The name in `#[output("invoices")]`.
pub(crate) fn output_name(attribute: &syn::Attribute) -> syn::Result<LitStr> {
    let wrong = |place: &dyn ToTokens| {
        let message = "an output has one name: write `#[output(\"invoices\")]`";
        syn::Error::new_spanned(place, message)
    };
    let arguments = attribute
        .meta
        .require_list()
        .map_err(|_| wrong(attribute))?;
    match syn::parse2::<Expr>(arguments.tokens.clone()) {
        Ok(Expr::Lit(literal)) => match &literal.lit {
            syn::Lit::Str(name) if !name.value().trim().is_empty() => Ok(name.clone()),
            other => Err(wrong(other)),
        },
        _ => Err(wrong(attribute)),
    }
}
