//! The expression that erases a function, by a local function with the bounds that hold for it.
//!
//! Every type is written out in the call, with the tokens of the user. So the compiler puts what a type lacks on the type, once,
//! and not on the whole function. The statements before the call ask for the same traits by their paths: the compiler
//! drops the second of two equal errors, and the first then has no note about a bound that nobody has written.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Type;

use crate::model::Parameter;

/// What is known of a function that is to be erased.
pub(super) struct Erased<'a> {
    /// Its name.
    pub(super) function: &'a Ident,
    /// Its parameters.
    pub(super) parameters: &'a [Parameter],
    /// The trait of its parameters.
    pub(super) extractor: TokenStream,
    /// What a call gives in the end, where that type can be written.
    pub(super) value: Option<Type>,
    /// The trait of what a call gives in the end.
    pub(super) returned: TokenStream,
    /// The trait of what a call gives at once, which gives a `V`.
    pub(super) gives: TokenStream,
}

impl Erased<'_> {
    /// Erases the function by `code`, in which it is called `function`, to the type `makes`.
    pub(super) fn expression(
        &self,
        word: &str,
        makes: &TokenStream,
        code: &TokenStream,
    ) -> TokenStream {
        let name = self.function;
        // A local function hides one of the user's with the same name.
        let own = if name == word {
            format_ident!("the_{word}")
        } else {
            format_ident!("{word}")
        };
        let (slots, bounds) = (self.slots(), self.bounds());
        let types = self.parameters.iter().map(|parameter| &parameter.ty);
        let value = self
            .value
            .as_ref()
            .map_or_else(|| quote!(_), ToTokens::to_token_stream);
        let gives = quote_spanned!(name.span()=> _);
        quote! {
            {
                fn #own<#(#slots,)* V, G>(
                    function: impl ::core::ops::Fn(#(#slots),*) -> G + ::core::marker::Send + ::core::marker::Sync + 'static,
                ) -> #makes
                where
                    #bounds
                {
                    #code
                }
                #own::<#(#types,)* #value, #gives>(#name)
            }
        }
    }

    /// The number of outputs that a call feeds, a `u16` constant, where the type cannot be written.
    pub(super) fn feeds(&self) -> TokenStream {
        let (name, slots, bounds, returned) =
            (self.function, self.slots(), self.bounds(), &self.returned);
        let own = Ident::new("__mq_feeds", Span::call_site());
        quote! {
            {
                const fn #own<#(#slots,)* V, G>(_: &impl ::core::ops::Fn(#(#slots),*) -> G) -> u16
                where
                    #bounds
                {
                    <V as #returned>::OUTPUTS
                }
                #own(&#name)
            }
        }
    }

    fn slots(&self) -> Vec<Ident> {
        (0..self.parameters.len())
            .map(|index| format_ident!("P{index}"))
            .collect()
    }

    fn bounds(&self) -> TokenStream {
        let Self {
            extractor,
            returned,
            gives,
            ..
        } = self;
        let slots = self.slots();
        quote! {
            #(#slots: #extractor + 'static,)*
            V: #returned + ::core::marker::Send + 'static,
            G: #gives + ::core::marker::Send + 'static,
        }
    }
}
