//! Assertions about the return type: that it can be returned, and that it feeds as many outputs as are named.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Ident, Type};

use super::parameters::panic;
use crate::attributes::Outputs;

/// The most outputs of a return value.
const MOST: usize = 4;

/// A constant that fails where the return value feeds another number of outputs than are named.
///
/// `feeds` is that number, a `u16` constant.
pub(super) fn as_many_as_named(
    feeds: &TokenStream,
    named: &Outputs,
    returns: &Type,
    function: &Ident,
) -> TokenStream {
    let count = named.names.len();
    let returns = Some(returns.to_token_stream()).filter(|_| !is_unit(returns));
    let returns = returns.unwrap_or_else(|| function.to_token_stream());
    let place = named.place.clone().unwrap_or(returns);
    let wrong = (0..=MOST).filter(|feeds| *feeds != count).map(|feeds| {
        let number = u16::try_from(feeds).unwrap_or(u16::MAX);
        let failed = panic(&place, &message(feeds, count));
        quote!(#number => #failed,)
    });
    quote! {
        match #feeds {
            #(#wrong)*
            _ => {}
        }
    }
}

fn message(feeds: usize, named: usize) -> String {
    match (feeds, named) {
        (0, 1) => "nothing is returned for this output: return a message such as `Json(invoice)`, or delete the output".to_owned(),
        (0, _) => format!("nothing is returned for these outputs: return a tuple of {named} messages, or delete the outputs"),
        (1, 0) => "what is returned has no output: add `output = \"…\"` to the attribute, or return `()`".to_owned(),
        (_, 0) => format!("what is returned has no outputs: add `outputs = [{}]` to the attribute, or return `()`", dots(feeds)),
        (1, _) => format!("one output is returned and {named} are named: return a tuple of {named} messages, or name one output"),
        (_, 1) => format!("{feeds} outputs are returned and one is named: write `outputs = [{}]`", dots(feeds)),
        _ => format!("{feeds} outputs are returned and {named} are named: write `outputs = [{}]`", dots(feeds)),
    }
}

fn dots(count: usize) -> String {
    vec!["\"…\""; count].join(", ")
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// The place of the return type, or of the function's name where there is none.
pub(super) fn place_of(returns: &Type, function: &Ident) -> super::ends::Ends {
    if is_unit(returns) {
        super::ends::Ends::of(function, Span::call_site())
    } else {
        super::ends::Ends::of(returns, Span::call_site())
    }
}
