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
fn with_mistakes(mut code: TokenStream, mistakes: Mistakes) -> TokenStream {
    if let Err(error) = mistakes.into_result() {
        code.extend(error.into_compile_error());
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mentions(code: &TokenStream, text: &str) -> usize {
        code.to_string().matches(text).count()
    }

    #[test]
    fn the_function_is_kept_beside_every_mistake() {
        let item = quote!(
            fn print(#[output("a")] self, text: &str, #[output] out: Output<str>) {
                body()
            }
        );
        let code = listener(quote!(inptu = "x", timeout = 10), item);
        assert_eq!(mentions(&code, "compile_error"), 6);
        assert_eq!(mentions(&code, "fn print ("), 1);
        assert_eq!(mentions(&code, "body ()"), 1);
        assert_eq!(
            mentions(&code, "# [output"),
            1,
            "left on `self`, where it means nothing"
        );
        assert_eq!(mentions(&code, "__mq_listener_print"), 0);
    }

    #[test]
    fn everything_generated_stands_under_the_conditions_of_the_function() {
        let item = quote!(
            #[cfg(unix)]
            #[doc = "Prints."]
            pub(crate) async fn print(Text(text): Text) {}
        );
        let code = listener(quote!(input = "greetings"), item);
        let parsed: syn::File = syn::parse2(code).expect("is a list of items");
        for item in &parsed.items {
            let attributes = match item {
                syn::Item::Fn(function) => &function.attrs,
                syn::Item::Const(constant) => &constant.attrs,
                other => panic!("generated {}", other.to_token_stream()),
            };
            assert!(
                attributes
                    .iter()
                    .any(|attribute| attribute.path().is_ident("cfg"))
            );
        }
        assert!(parsed.items.len() >= 3);
    }

    #[test]
    fn the_crate_can_have_another_path() {
        let code = listener(
            quote!(input = "greetings", crate = "::framework"),
            quote!(
                async fn print() {}
            ),
        );
        assert_eq!(mentions(&code, ":: mq ::"), 0);
        let code = source(
            quote!(every = "1s", crate = "::framework"),
            quote!(
                async fn tick() {}
            ),
        );
        assert_eq!(mentions(&code, ":: mq ::"), 0);
        let error = quote!(
            #[failure(crate = "::framework")]
            struct Away;
        );
        assert_eq!(mentions(&failure(error), ":: mq ::"), 0);
    }

    #[test]
    fn what_is_no_function_is_kept_as_it_is() {
        let code = listener(
            quote!(input = "greetings"),
            quote!(
                struct Print;
            ),
        );
        assert_eq!(mentions(&code, "struct Print ;"), 1);
        assert_eq!(mentions(&code, "compile_error"), 1);
    }

    #[test]
    fn a_union_is_no_failure() {
        let code = failure(quote!(union Bits { a: u8, b: i8 }));
        assert_eq!(mentions(&code, "compile_error"), 1);
    }
}
