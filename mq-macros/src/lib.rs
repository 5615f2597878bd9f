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

/// Registers an async function as the listener of an input binding.
#[proc_macro_attribute]
pub fn stream_listener(attributes: TokenStream, item: TokenStream) -> TokenStream {
    phases::listener(attributes.into(), item.into()).into()
}

/// Registers a function as a source of messages.
#[proc_macro_attribute]
pub fn stream_source(attributes: TokenStream, item: TokenStream) -> TokenStream {
    phases::source(attributes.into(), item.into()).into()
}

/// Says of an error type what each of its values means for the message that failed.
#[proc_macro_derive(Failure, attributes(failure))]
pub fn derive_failure(input: TokenStream) -> TokenStream {
    phases::failure(input.into()).into()
}

/// The `Listener` of a function that has the attribute `#[stream_listener]`.
#[proc_macro]
pub fn listener_of(path: TokenStream) -> TokenStream {
    listed::listed(expand::LISTENER, path.into()).into()
}

/// The `SourceListener` of a function that has the attribute `#[stream_source]`.
#[proc_macro]
pub fn source_of(path: TokenStream) -> TokenStream {
    listed::listed(expand::SOURCE, path.into()).into()
}
