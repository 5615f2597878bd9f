//! Last phase: what is generated.

mod ends;
mod failure;
mod listener;
mod outputs;
mod parameters;

pub(crate) use failure::failure;
pub(crate) use listener::{ListenerParts, listener};

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;

use crate::model::Function;

/// The prefix of the hidden function that makes the listener or source of a function.
pub(crate) const HIDDEN: &str = "__mq_";

/// The hidden function beside `function`.
fn hidden(function: &Ident) -> Ident {
    format_ident!("{HIDDEN}{}", function.unraw())
}

/// The hidden function that makes the listener or source, and what else is generated beside the user's function.
///
/// All of it stands under the same conditions as the function.
fn beside(
    function: &Function,
    makes: &TokenStream,
    body: &TokenStream,
    items: &[TokenStream],
) -> TokenStream {
    let conditions: TokenStream = function
        .conditions()
        .map(ToTokens::to_token_stream)
        .collect();
    let (visibility, name) = (&function.visibility, hidden(&function.signature.ident));
    let constants = items
        .iter()
        .map(|item| quote!(#conditions const _: () = { #item };));
    quote! {
        #conditions
        #[doc(hidden)]
        #[allow(non_snake_case, unreachable_pub, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
        #visibility fn #name() -> #makes {
            #body
        }
        #(#constants)*
    }
}
