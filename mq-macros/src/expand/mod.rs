//! Last phase: what is generated.

mod ends;
mod erased;
mod failure;
mod listener;
mod outputs;
mod parameters;
mod source;

pub(crate) use failure::failure;
pub(crate) use listener::listener;
pub(crate) use source::source;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{LitStr, Type, ext::IdentExt};

use crate::model::{Function, Parameter};

/// The hidden function beside a listener that makes its descriptor.
pub(crate) const LISTENER: &str = "__mq_listener_";

/// The hidden function beside a source that makes its descriptor.
pub(crate) const SOURCE: &str = "__mq_source_";

/// A function whose form is right, with its parameters and what its attribute says.
pub(crate) struct Annotated<'a, A> {
    pub(crate) attributes: &'a A,
    pub(crate) function: &'a Function,
    pub(crate) parameters: &'a [Parameter],
}

impl<A> Annotated<'_, A> {
    fn ident(&self) -> &Ident {
        &self.function.signature.ident
    }

    /// The name in the attribute, or the function's own.
    fn name(&self, given: Option<&LitStr>) -> TokenStream {
        let own = self.ident().unraw().to_string();
        given.map_or_else(|| quote!(#own), ToTokens::to_token_stream)
    }

    /// What every descriptor says: package, place, and the outputs of parameters.
    fn facts(&self) -> TokenStream {
        let line = quote_spanned!(self.ident().span()=> ::core::line!());
        let publishes = self
            .parameters
            .iter()
            .filter_map(|parameter| parameter.output.as_ref());
        quote! {
            .package(::core::env!("CARGO_PKG_NAME"))
            .at(::core::file!(), #line)
            #(.publishes(#publishes))*
        }
    }

    /// The return type, or the function's name where it is not written: the place of what is wrong with it.
    fn place_of_return(&self) -> TokenStream {
        match &self.function.signature.output {
            syn::ReturnType::Default => self.ident().to_token_stream(),
            syn::ReturnType::Type(_, ty) => ty.to_token_stream(),
        }
    }

    /// The hidden function that makes the descriptor, its registration, and constants that judge what traits do not.
    ///
    /// All of it stands under the same `#[cfg(…)]` as the function.
    fn beside(&self, hidden: &Hidden, checks: &[TokenStream]) -> TokenStream {
        let conditions: TokenStream = self
            .function
            .conditions()
            .map(ToTokens::to_token_stream)
            .collect();
        let checks = checks
            .iter()
            .map(|check| quote!(#conditions const _: () = { #check };));
        let Hidden {
            name,
            makes,
            body,
            registration,
        } = hidden;
        let visibility = &self.function.visibility;
        quote! {
            #conditions
            #[doc(hidden)]
            #[allow(non_snake_case, unreachable_pub, reason = "generated")]
            #visibility fn #name() -> #makes {
                #body
            }
            #conditions
            const _: () = { #registration };
            #(#checks)*
        }
    }
}

/// The hidden function that makes a descriptor.
struct Hidden {
    name: Ident,
    makes: TokenStream,
    body: TokenStream,
    registration: TokenStream,
}

/// The hidden function with this prefix beside `function`; errors about it stand on the function's name.
pub(crate) fn hidden(prefix: &str, function: &Ident) -> Ident {
    format_ident!("{prefix}{}", function.unraw(), span = function.span())
}

/// Whether the type can be written elsewhere too: no part of it is an `impl Trait`.
fn has_name(ty: &Type) -> bool {
    fn has_impl(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Group(group) => has_impl(group.stream()),
            TokenTree::Ident(word) => word == "impl",
            TokenTree::Punct(_) | TokenTree::Literal(_) => false,
        })
    }
    !has_impl(ty.to_token_stream())
}
