//! Spans of whole types.
//!
//! The span of several tokens cannot be made on a stable compiler, but the compiler makes it by itself of what begins at the
//! first and ends at the last token. So `<` is put where the type begins and what follows `>` where it ends.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Ident, Path};

/// Where something begins and ends in the source.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) first: Span,
    pub(crate) last: Span,
}

impl Ends {
    /// The ends of these tokens, or this place where there are none.
    pub(crate) fn of(tokens: &impl ToTokens, otherwise: Span) -> Self {
        let mut spans = tokens
            .to_token_stream()
            .into_iter()
            .map(|token| token.span());
        let first = spans.next().unwrap_or(otherwise);
        Self {
            first,
            last: spans.last().unwrap_or(first),
        }
    }
}

/// `<ty as trait>::item`, spanned so that an error about it stands on `place`.
pub(crate) fn of_trait(
    place: Ends,
    ty: &impl ToTokens,
    path: &Path,
    name: &str,
    item: &str,
) -> TokenStream {
    let (name, item) = (
        Ident::new(name, Span::call_site()),
        Ident::new(item, place.last),
    );
    let (open, ty) = (quote_spanned!(place.first=> <), ty.to_token_stream());
    let close = quote_spanned!(place.last=> >::);
    quote::quote!(#open #ty as #path::#name #close #item)
}
