//! Assertions about the number of outputs.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use super::ends::panic;
use crate::attributes::Outputs;

/// The most outputs of a return value.
const MOST: u16 = 4;

/// A constant that fails where the return value feeds another number of outputs than are named: `feeds` is that number, a `u16`.
///
/// Stands on the names, or on the return type where there are none.
pub(super) fn as_many_as_named(
    feeds: &TokenStream,
    named: &Outputs,
    returns: &TokenStream,
) -> TokenStream {
    let count = named.names.len();
    let place = named.place.as_ref().unwrap_or(returns).to_token_stream();
    let wrong = (0..=MOST)
        .filter(|feeds| usize::from(*feeds) != count)
        .map(|feeds| {
            let failed = panic(&place, &message(feeds, count));
            quote!(#feeds => #failed,)
        });
    quote! {
        match #feeds {
            #(#wrong)*
            _ => {}
        }
    }
}

fn message(feeds: u16, named: usize) -> String {
    match (feeds, named) {
        (0, 1) => "nothing is returned for this output: return a message such as `Json(invoice)`, or delete it".to_owned(),
        (0, _) => format!("nothing is returned for these outputs: return a tuple of {named} messages, or delete them"),
        (1, 0) => "what is returned has no output: add `output = \"…\"` to the attribute, or return `()`".to_owned(),
        (_, 0) => format!("what is returned has no outputs: add `outputs = [{}]` to the attribute, or return `()`", dots(feeds)),
        (1, _) => format!("one output is returned and {named} are named: return a tuple of {named} messages, or name one"),
        (_, 1) => format!("{feeds} outputs are returned and one is named: write `outputs = [{}]`", dots(feeds)),
        _ => format!("{feeds} outputs are returned and {named} are named: write `outputs = [{}]`", dots(feeds)),
    }
}

fn dots(count: u16) -> String {
    vec!["\"…\""; usize::from(count)].join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mismatch_says_what_to_write() {
        for feeds in 0..=MOST {
            for named in (0..=5).filter(|named| *named != usize::from(feeds)) {
                let message = message(feeds, named);
                assert!(message.contains(": "), "{feeds} and {named}: {message}");
            }
        }
        assert!(message(2, 1).ends_with("write `outputs = [\"…\", \"…\"]`"));
    }
}
