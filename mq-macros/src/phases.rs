//! The phases of each macro, one after the other.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::DeriveInput;

use crate::{
    attributes::{ListenerAttributes, SourceAttributes},
    check::{self, LISTENER, Role, SOURCE},
    expand::{self, Annotated},
    mistakes::Mistakes,
    model::{Failing, Function},
};

/// `#[stream_listener(…)]`
pub(crate) fn listener(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let attributes = ListenerAttributes::read(attributes, &mut mistakes);
    let check = |function: &Function, _: Option<&ListenerAttributes>, mistakes: &mut Mistakes| {
        check::asynchronous(function, LISTENER, mistakes);
    };
    annotated(
        attributes,
        item,
        mistakes,
        (LISTENER, check, expand::listener),
    )
}

/// `#[stream_source(…)]`
pub(crate) fn source(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let attributes = SourceAttributes::read(attributes, &mut mistakes);
    let check =
        |function: &Function, attributes: Option<&SourceAttributes>, mistakes: &mut Mistakes| {
            if let Some(attributes) = attributes {
                check::time(function, attributes, mistakes);
            }
        };
    annotated(attributes, item, mistakes, (SOURCE, check, expand::source))
}

/// `#[derive(Failure)]`
pub(crate) fn failure(input: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let input = mistakes.take(syn::parse2::<DeriveInput>(input));
    let failing = input.and_then(|input| Failing::read(input, &mut mistakes));
    let code = failing.map(|failing| expand::failure(&failing));
    with_mistakes(code.unwrap_or_default(), mistakes)
}

/// The function, and beside it what `expand` makes of it, unless there are mistakes.
fn annotated<A>(
    attributes: Option<A>,
    item: TokenStream,
    mut mistakes: Mistakes,
    (role, check, expand): (
        Role,
        impl FnOnce(&Function, Option<&A>, &mut Mistakes),
        impl FnOnce(&Annotated<'_, A>) -> TokenStream,
    ),
) -> TokenStream {
    let Some(mut function) = function_of(&item, role, &mut mistakes) else {
        return with_mistakes(item, mistakes);
    };
    let parameters = function.take_parameters(&mut mistakes);
    check(&function, attributes.as_ref(), &mut mistakes);
    check::function(&function, &parameters, role, &mut mistakes);
    let code = function.to_token_stream();
    let Some(attributes) = attributes.filter(|_| mistakes.is_empty()) else {
        return with_mistakes(code, mistakes);
    };
    let beside = expand(&Annotated {
        attributes: &attributes,
        function: &function,
        parameters: &parameters,
    });
    quote!(#code #beside)
}

fn function_of(item: &TokenStream, role: Role, mistakes: &mut Mistakes) -> Option<Function> {
    let function = syn::parse2::<Function>(item.clone());
    function
        .map_err(|error| {
            let message = format!(
                "{} is a function: put the attribute before `{}`",
                role.name, role.form
            );
            mistakes.add(syn::Error::new(error.span(), message));
        })
        .ok()
}

/// The code, and every mistake beside it.
fn with_mistakes(code: TokenStream, mistakes: Mistakes) -> TokenStream {
    let errors = mistakes
        .into_result()
        .err()
        .map(|error| error.to_compile_error());
    quote!(#code #errors)
}
