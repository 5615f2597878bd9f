//! The phases of each macro, one after the other.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::DeriveInput;

use crate::{
    attributes::ListenerAttributes,
    check, expand,
    mistakes::Mistakes,
    model::{Failing, Function},
};

/// `#[stream_listener(…)]`
pub(crate) fn listener(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let attributes = ListenerAttributes::read(attributes, &mut mistakes);
    let Some(mut function) = function_of(&item, check::LISTENER, &mut mistakes) else {
        return with_mistakes(item, mistakes);
    };
    let parameters = function.take_parameters(&mut mistakes);
    check::asynchronous(&function, check::LISTENER, &mut mistakes);
    check::function(&function, &parameters, check::LISTENER, &mut mistakes);
    let function_alone = function.to_token_stream();
    let Some(attributes) = attributes.filter(|_| mistakes.is_empty()) else {
        return with_mistakes(function_alone, mistakes);
    };
    let beside = expand::listener(&expand::ListenerParts {
        attributes: &attributes,
        function: &function,
        parameters: &parameters,
    });
    quote!(#function_alone #beside)
}

/// `#[derive(Failure)]`
pub(crate) fn failure(input: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let input = mistakes.take(syn::parse2::<DeriveInput>(input));
    let failing = input.and_then(|input| Failing::read(input, &mut mistakes));
    let code = failing.map(|failing| expand::failure(&failing));
    with_mistakes(code.unwrap_or_default(), mistakes)
}

fn function_of(item: &TokenStream, role: check::Role, mistakes: &mut Mistakes) -> Option<Function> {
    let function = syn::parse2::<Function>(item.clone());
    if let Err(error) = function {
        let message = format!(
            "{} is an async function: write `async fn name(…) {{ … }}` below the attribute",
            role.name
        );
        mistakes.add(syn::Error::new(error.span(), message));
        return None;
    }
    function.ok()
}

/// The code, and every mistake beside it.
fn with_mistakes(code: TokenStream, mistakes: Mistakes) -> TokenStream {
    let errors = mistakes
        .into_result()
        .err()
        .map(|error| error.to_compile_error());
    quote!(#code #errors)
}
