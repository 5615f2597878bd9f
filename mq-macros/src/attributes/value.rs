//! Reading the value of a key.

use std::time::Duration;

use quote::ToTokens;
use syn::{Expr, ExprArray, ExprGroup, ExprLit, ExprUnary, Lit, LitInt, LitStr, Path, UnOp};

use super::{Entry, Found, Given, Key, Takes, read};
use crate::{mistakes::Mistakes, words};

const MILLISECOND: Duration = Duration::from_millis(1);

/// What a key was given.
#[derive(Clone)]
pub(crate) enum Value {
    Text(LitStr),
    Texts(Vec<LitStr>),
    Whole(u64),
    Wait(Duration, LitStr),
    Flag(bool),
    Table(Vec<Found>),
    Path(Path),
    Nothing,
}

impl Value {
    /// Reads what `key` was given.
    pub(super) fn read(key: &'static Key, entry: &Entry, mistakes: &mut Mistakes) -> Option<Self> {
        match (&key.takes, &entry.given) {
            (Takes::Later(until_then), _) => {
                let name = key.name;
                mistakes.at(
                    &entry.key,
                    format!("`{name}` is not there yet: {until_then}"),
                );
                None
            }
            (Takes::Flag, Given::Nothing) => Some(Self::Flag(true)),
            (Takes::Table(_), Given::Nothing) => Some(Self::Table(Vec::new())),
            (Takes::Table(keys), Given::Entries(entries)) => {
                Some(Self::Table(read(keys, entries, mistakes)))
            }
            (Takes::Mark, Given::Nothing) => Some(Self::Nothing),
            (_, Given::Value(value)) => mistakes.take(key.value(plain(value))),
            (_, Given::Nothing) => {
                mistakes.at(&entry.key, key.wanted());
                None
            }
            (_, Given::Entries(_)) => {
                mistakes.at(entry, key.wanted());
                None
            }
        }
    }

    /// As the settings write it.
    pub(crate) fn to_toml(&self) -> String {
        match self {
            Self::Text(text) | Self::Wait(_, text) => quoted(text),
            Self::Texts(texts) => {
                let texts: Vec<_> = texts.iter().map(quoted).collect();
                format!("[{}]", texts.join(", "))
            }
            Self::Whole(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Table(found) => {
                let pair =
                    |found: &Found| format!("{} = {}", found.key.name, found.value.to_toml());
                let pairs: Vec<_> = found.iter().map(pair).collect();
                format!("{{ {} }}", pairs.join(", "))
            }
            Self::Path(_) | Self::Nothing => String::new(),
        }
    }
}

/// A basic string of TOML 1.0.
fn quoted(text: &LitStr) -> String {
    let mut toml = String::from('"');
    for character in text.value().chars() {
        match character {
            '"' | '\\' => toml.extend(['\\', character]),
            control if control.is_control() => toml.push_str(&format!("\\u{:04X}", control as u32)),
            plain => toml.push(plain),
        }
    }
    toml.push('"');
    toml
}

/// The value inside the invisible groups that macros make.
fn plain(value: &Expr) -> &Expr {
    match value {
        Expr::Group(ExprGroup { expr, .. }) => plain(expr),
        value => value,
    }
}

impl Key {
    /// `` `timeout` takes a duration: write `timeout = "10s"` ``
    fn wanted(&self) -> String {
        let (name, what, example) = (self.name, self.takes.describe(), self.example);
        format!("`{name}` takes {what}: write `{example}`")
    }

    fn wrong(&self, value: &impl ToTokens) -> syn::Error {
        syn::Error::new_spanned(value, self.wanted())
    }

    fn value(&self, value: &Expr) -> syn::Result<Value> {
        match &self.takes {
            Takes::Text => self.full(value).map(Value::Text),
            Takes::Texts => self.list(value, |item| self.full(item)).map(Value::Texts),
            Takes::Word(words) => self.word(value, words).map(Value::Text),
            Takes::Whole(least, most) => self.whole(value, *least, *most).map(Value::Whole),
            Takes::Wait(least, most) => self.wait(value, *least, *most),
            Takes::WaitOrNone(least, most) => match self.text(value)? {
                none if none.value() == "none" => Ok(Value::Text(none)),
                _ => self.wait(value, *least, *most),
            },
            Takes::Waits => self
                .list(value, |item| {
                    self.duration(item, MILLISECOND, Duration::MAX)
                        .map(|(_, text)| text)
                })
                .map(Value::Texts),
            Takes::Flag => match value {
                Expr::Lit(ExprLit {
                    lit: Lit::Bool(flag),
                    ..
                }) => Ok(Value::Flag(flag.value)),
                other => Err(self.wrong(other)),
            },
            Takes::Path => self.text(value)?.parse().map(Value::Path),
            Takes::Table(_) | Takes::Mark | Takes::Later(_) => Err(self.wrong(value)),
        }
    }

    fn text(&self, value: &Expr) -> syn::Result<LitStr> {
        match value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => Ok(text.clone()),
            other => Err(self.wrong(other)),
        }
    }

    /// A text that is not empty.
    fn full(&self, value: &Expr) -> syn::Result<LitStr> {
        let text = self.text(value)?;
        if text.value().trim().is_empty() {
            let message = format!("`{}` is empty: write `{}`", self.name, self.example);
            return Err(syn::Error::new_spanned(text, message));
        }
        Ok(text)
    }

    fn list(
        &self,
        value: &Expr,
        item: impl Fn(&Expr) -> syn::Result<LitStr>,
    ) -> syn::Result<Vec<LitStr>> {
        let Expr::Array(ExprArray { elems, .. }) = value else {
            return Err(self.wrong(value));
        };
        if elems.is_empty() {
            let message = format!("`{}` is empty: write `{}`", self.name, self.example);
            return Err(syn::Error::new_spanned(value, message));
        }
        elems.iter().map(|one| item(plain(one))).collect()
    }

    fn word(&self, value: &Expr, words: &[&str]) -> syn::Result<LitStr> {
        let text = self.text(value)?;
        let word = text.value();
        if words.contains(&word.as_str()) {
            return Ok(text);
        }
        let suggestion = words::suggestion(&word, words, "write");
        let message = format!("`{}` cannot be `{word}`; {suggestion}", self.name);
        Err(syn::Error::new_spanned(text, message))
    }

    fn whole(&self, value: &Expr, least: u64, most: u64) -> syn::Result<u64> {
        let out_of_range = |place: &dyn ToTokens| {
            let message = format!("`{}` is out of range: write {least} to {most}", self.name);
            Err(syn::Error::new_spanned(place, message))
        };
        match value {
            Expr::Lit(ExprLit {
                lit: Lit::Int(number),
                ..
            }) => match number_of(number) {
                Some(number) if (least..=most).contains(&number) => Ok(number),
                _ => out_of_range(number),
            },
            Expr::Unary(ExprUnary {
                op: UnOp::Neg(_), ..
            }) => out_of_range(value),
            other => Err(self.wrong(other)),
        }
    }

    fn wait(&self, value: &Expr, least: Duration, most: Duration) -> syn::Result<Value> {
        self.duration(value, least, most)
            .map(|(duration, text)| Value::Wait(duration, text))
    }

    fn duration(
        &self,
        value: &Expr,
        least: Duration,
        most: Duration,
    ) -> syn::Result<(Duration, LitStr)> {
        let text = self.text(value)?;
        let written = text.value();
        let Ok(duration) = humantime::parse_duration(written.trim()) else {
            let message = format!(
                "`{written}` is not a duration: write a number with a unit, as in `{}`",
                self.example
            );
            return Err(syn::Error::new_spanned(text, message));
        };
        if (least..=most).contains(&duration) {
            return Ok((duration, text));
        }
        let least = humantime::format_duration(least);
        let range = match most {
            Duration::MAX => format!("{least} or more"),
            most => format!("{least} to {}", humantime::format_duration(most)),
        };
        let message = format!("`{}` is out of range: write {range}", self.name);
        Err(syn::Error::new_spanned(text, message))
    }
}

fn number_of(number: &LitInt) -> Option<u64> {
    number.base10_parse().ok()
}
