//! `listener_of!(shop::bill)` and `source_of!(shop::tick)`: for those who list their functions by hand.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{ExprPath, ext::IdentExt};

use crate::expand::HIDDEN;

/// A call of the hidden function beside the one at this path.
pub(crate) fn listed(path: TokenStream) -> TokenStream {
    let mut path = match syn::parse2::<ExprPath>(path) {
        Ok(path) => path,
        Err(error) => return error.to_compile_error(),
    };
    if let Some(last) = path.path.segments.last_mut() {
        last.ident = format_ident!("{HIDDEN}{}", last.ident.unraw(), span = last.ident.span());
    }
    quote!(#path())
}
