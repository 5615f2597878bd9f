//! The syntax of attributes: `key`, `key = value` and `key(key = value, …)`, with commas between.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{
    Expr, Lit, Token,
    ext::IdentExt,
    parenthesized,
    parse::{Parse, ParseStream},
    token::Paren,
};

/// One `key`, `key = value` or `key(…)`.
pub(crate) struct Entry {
    /// The key as it is written.
    pub(crate) key: Ident,
    /// What the key is given.
    pub(crate) given: Given,
}

/// What stands behind a key.
pub(crate) enum Given {
    /// Nothing.
    Nothing,
    /// `= value`.
    Value(Expr),
    /// `(…)`.
    Entries(Vec<Entry>),
}

/// Entries with commas between them.
pub(crate) struct Entries(pub(crate) Vec<Entry>);

impl Parse for Entries {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut entries = Vec::new();
        while !input.is_empty() {
            entries.push(input.parse()?);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(Self(entries))
    }
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Lit) {
            let value: Lit = input.parse()?;
            let text = value.to_token_stream();
            let message = format!("{text} has no key: write `key = {text}`");
            return Err(syn::Error::new_spanned(value, message));
        }
        let key = input.call(Ident::parse_any)?;
        let given = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Given::Value(input.parse()?)
        } else if input.peek(Paren) {
            let content;
            parenthesized!(content in input);
            Given::Entries(content.parse::<Entries>()?.0)
        } else {
            Given::Nothing
        };
        Ok(Self { key, given })
    }
}

impl ToTokens for Entry {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.key.to_tokens(tokens);
        match &self.given {
            Given::Nothing => {}
            Given::Value(value) => value.to_tokens(tokens),
            Given::Entries(entries) => entries.iter().for_each(|entry| entry.to_tokens(tokens)),
        }
    }
}
