//! Places of whole types, and code that fails there.
//!
//! The span of several tokens cannot be made on a stable compiler, but the compiler makes it by itself of what begins at the
//! first and ends at the last token. So `<` is put where the type begins and what follows `>` where it ends.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

/// Where something begins and ends in the source.
#[derive(Clone, Copy)]
struct Ends {
    first: Span,
    last: Span,
}

impl Ends {
    fn of(tokens: &impl ToTokens) -> Self {
        let mut spans = tokens
            .to_token_stream()
            .into_iter()
            .map(|token| token.span());
        let first = spans.next().unwrap_or_else(Span::call_site);
        Self {
            first,
            last: spans.last().unwrap_or(first),
        }
    }
}

/// `<ty as bound>::item`; that the type lacks the trait is said on `place`.
pub(super) fn of_trait(
    place: &impl ToTokens,
    ty: &impl ToTokens,
    bound: &TokenStream,
    item: &str,
) -> TokenStream {
    let Ends { first, last } = Ends::of(place);
    let (open, close) = (quote_spanned!(first=> <), quote_spanned!(last=> >::));
    let item = Ident::new(item, last);
    quote!(#open #ty as #bound #close #item)
}

/// A panic of a constant, on `place`.
pub(super) fn panic(place: &impl ToTokens, message: &str) -> TokenStream {
    let Ends { first, last } = Ends::of(place);
    let (path, call) = (
        quote_spanned!(first=> ::core::panic),
        quote_spanned!(last=> !(#message)),
    );
    quote!(#path #call)
}
