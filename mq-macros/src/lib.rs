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
mod stream;
mod words;

use proc_macro::TokenStream;

/// Registers an async function as the listener of an input binding.
#[proc_macro_attribute]
pub fn stream_listener(attributes: TokenStream, item: TokenStream) -> TokenStream {
    stream::listener(attributes.into(), item.into()).into()
}

/// Derives `IntoFailure`.
#[proc_macro_derive(Failure, attributes(failure))]
pub fn derive_failure(input: TokenStream) -> TokenStream {
    stream::failure(input.into()).into()
}

/// The listener of a function.
#[proc_macro]
pub fn listener_of(path: TokenStream) -> TokenStream {
    listed::listed(path.into()).into()
}
