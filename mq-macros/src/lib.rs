//! The attributes and derives of `mq`. They are documented where they are re-exported: in the crate `mq`.
//!
//! A macro runs in phases: `attributes` (what was written in parentheses), `model` (what it stands before), `check` (whether the
//! form is right) and `expand`. All mistakes are reported at once, and the user's function is always emitted, so that one mistake
//! does not cause others elsewhere.

mod attributes;
mod check;
mod expand;
mod listed;
mod mistakes;
mod model;
mod phases;
mod words;

use proc_macro::TokenStream;

/// A part of the crate `mq`, which documents it where it re-exports it.
#[proc_macro_attribute]
pub fn stream_listener(attributes: TokenStream, item: TokenStream) -> TokenStream {
    phases::listener(attributes.into(), item.into()).into()
}

/// A part of the crate `mq`, which documents it where it re-exports it.
#[proc_macro_attribute]
pub fn stream_source(attributes: TokenStream, item: TokenStream) -> TokenStream {
    phases::source(attributes.into(), item.into()).into()
}

/// A part of the crate `mq`, which documents it where it re-exports it.
#[proc_macro_derive(Failure, attributes(failure))]
pub fn derive_failure(input: TokenStream) -> TokenStream {
    phases::failure(input.into()).into()
}

/// A part of the crate `mq`, which documents it where it re-exports it.
#[proc_macro]
pub fn listener_of(path: TokenStream) -> TokenStream {
    listed::listed(expand::LISTENER, path.into()).into()
}

/// A part of the crate `mq`, which documents it where it re-exports it.
#[proc_macro]
pub fn source_of(path: TokenStream) -> TokenStream {
    listed::listed(expand::SOURCE, path.into()).into()
}
