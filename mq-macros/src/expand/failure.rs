//! What `#[derive(Failure)]` expands to.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Generics, Path, parse_quote};

use crate::{
    attributes::Says,
    model::{Cases, Failing},
};

/// The implementation of `IntoFailure`, and a reader of failures for types without generics.
pub(crate) fn failure(failing: &Failing) -> TokenStream {
    let Failing { name, krate, .. } = failing;
    let generics = with_bounds(&failing.generics);
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let (verdict, error, reader) = (verdict(failing), an_error(), reader(failing));
    let (is_error, boxed) = is_error(name);
    quote! {
        const _: () = {
            #error
            trait FailureVerdict {
                fn verdict(&self) -> (#krate::outcome::Decision, &'static str);
            }
            #[automatically_derived]
            impl #parameters FailureVerdict for #name #arguments #bounds {
                fn verdict(&self) -> (#krate::outcome::Decision, &'static str) {
                    #verdict
                }
            }
            #[automatically_derived]
            impl #parameters #krate::outcome::IntoFailure for #name #arguments #bounds {
                fn into_failure(self) -> #krate::outcome::Failure {
                    #is_error
                    let (decision, kind) = FailureVerdict::verdict(&self);
                    #krate::outcome::Failure::from_error(decision, #boxed(self)).kind(kind)
                }
            }
            #reader
        };
    }
}

/// A trait of errors that says so of what is none, and a function that boxes errors.
fn an_error() -> TokenStream {
    quote! {
        #[diagnostic::on_unimplemented(
            message = "`{Self}` is not an error: it does not implement `std::error::Error`",
            label = "not an error",
            note = "derive it beside `Failure`: `#[derive(Debug, thiserror::Error, mq::Failure)]`, with `#[error(\"…\")]` on each variant"
        )]
        trait FailureIsError: ::std::error::Error {
            const YES: () = ();
        }
        #[diagnostic::do_not_recommend]
        impl<E: ::std::error::Error> FailureIsError for E {}
        fn failure<E>() -> fn(E) -> ::std::boxed::Box<dyn ::std::error::Error + ::core::marker::Send + ::core::marker::Sync>
        where
            E: FailureIsError + ::core::marker::Send + ::core::marker::Sync + 'static,
        {
            |error| ::std::boxed::Box::new(error)
        }
    }
}

/// A statement that fails on the name where the type is no error, and the function that boxes it.
///
/// The compiler drops the second of two equal errors, so that the one without a note about a bound is left.
fn is_error(name: &Ident) -> (TokenStream, TokenStream) {
    let place = name.span();
    let yes = quote_spanned!(place=> <Self as FailureIsError>::YES);
    let own = quote_spanned!(place=> Self);
    (quote!(let () = #yes;), quote!(failure::<#own>()))
}

/// What a value says and the name of its kind, as an expression over `self`.
fn verdict(failing: &Failing) -> TokenStream {
    let (name, krate) = (&failing.name, &failing.krate);
    match &failing.cases {
        Cases::One(says) => {
            let (decision, kind) = (decision(*says, krate), name.to_string());
            quote!((#decision, #kind))
        }
        Cases::Each(cases) if cases.is_empty() => quote!(match *self {}),
        Cases::Each(cases) => {
            let arms = cases.iter().map(|case| {
                let (variant, decision) = (&case.name, decision(case.says, krate));
                let kind = syn::ext::IdentExt::unraw(variant).to_string();
                quote!(Self::#variant { .. } => (#decision, #kind),)
            });
            quote!(match self { #(#arms)* })
        }
    }
}

fn decision(says: Says, krate: &Path) -> TokenStream {
    match says {
        Says::Retry => quote!(#krate::outcome::Decision::Retry),
        Says::DeadLetter => quote!(#krate::outcome::Decision::DeadLetter),
        Says::Discard => quote!(#krate::outcome::Decision::Discard),
        Says::RetryAfter(delay) => {
            let (seconds, nanos) = (delay.as_secs(), delay.subsec_nanos());
            quote!(#krate::outcome::Decision::RetryAfter(::core::time::Duration::new(#seconds, #nanos)))
        }
    }
}

/// What lets `?` into `mq::Failure` keep the verdict. A type with generics has none: there is no list of its instances.
fn reader(failing: &Failing) -> Option<TokenStream> {
    let Failing {
        name,
        krate,
        generics,
        ..
    } = failing;
    generics.params.is_empty().then(|| {
        quote! {
            fn read_failure(error: &(dyn ::core::any::Any + ::core::marker::Send + ::core::marker::Sync))
                -> ::core::option::Option<(#krate::outcome::Decision, &'static str)>
            {
                error.downcast_ref::<#name>().map(FailureVerdict::verdict)
            }
            #krate::registry::inventory::submit! {
                #krate::registry::FailureEntry(#krate::outcome::FailureOf::new(read_failure))
            }
        }
    })
}

/// A type with generics is a failure where it is an error.
fn with_bounds(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    if !generics.params.is_empty() {
        let bound = parse_quote!(Self: ::std::error::Error + ::core::marker::Send + ::core::marker::Sync + 'static);
        generics.make_where_clause().predicates.push(bound);
    }
    generics
}
