//! `listener_of!(shop::bill)` and `source_of!(shop::tick)`: for those who list their functions by hand.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ExprPath;

use crate::expand::hidden;

/// A call of the hidden function with this prefix beside the function at `path`.
pub(crate) fn listed(prefix: &str, path: TokenStream) -> TokenStream {
    let path = syn::parse2::<ExprPath>(path).and_then(|mut path| {
        let Some(last) = path.path.segments.last_mut() else {
            return Err(syn::Error::new_spanned(
                path,
                "write the path of a function",
            ));
        };
        last.ident = hidden(prefix, &last.ident);
        Ok(path)
    });
    match path {
        Ok(path) => quote!(#path()),
        Err(error) => error.to_compile_error(),
    }
}
