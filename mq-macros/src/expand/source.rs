//! What a source expands to.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{AngleBracketedGenericArguments, GenericArgument, PathArguments, Type, TypeParamBound};

use super::{
    Annotated, Hidden, SOURCE, ends::of_trait, erased::Erased, has_name, hidden, outputs,
    parameters::outputs_are_named,
};
use crate::attributes::SourceAttributes;

type Source<'a> = Annotated<'a, SourceAttributes>;

/// Everything beside the function.
pub(crate) fn source(source: &Source<'_>) -> TokenStream {
    let krate = &source.attributes.krate;
    let name = hidden(SOURCE, source.ident());
    let hidden = Hidden {
        makes: quote!(#krate::function::SourceListener),
        body: source.descriptor(),
        registration: quote! {
            #krate::registry::inventory::submit! { #krate::registry::SourceEntry(#name) }
        },
        name,
    };
    source.beside(&hidden, &source.checks())
}

impl Source<'_> {
    /// `SourceListener::new(…)` with everything that the attribute says.
    fn descriptor(&self) -> TokenStream {
        let SourceAttributes {
            outputs,
            name,
            krate,
            ..
        } = self.attributes;
        let (name, facts, outputs) = (self.name(name.as_ref()), self.facts(), &outputs.names);
        let feeds = self.feeds();
        let body = self.body();
        quote! {
            let _ = #feeds;
            #krate::function::SourceListener::new(#name, #body)
                #facts
                #(.output(#outputs))*
        }
    }

    /// The function, erased.
    fn body(&self) -> TokenStream {
        let krate = &self.attributes.krate;
        let makes = quote!(::std::sync::Arc<dyn #krate::function::SourceBody>);
        let code = match self.period() {
            Some(period) => {
                let (seconds, nanos) = (period.as_secs(), period.subsec_nanos());
                let period = quote!(::core::time::Duration::new(#seconds, #nanos));
                quote!(#krate::function::PeriodicFunction::every(function, #period))
            }
            None => quote!(#krate::function::StreamFunction::stream(function)),
        };
        self.erased().expression("source", &makes, &code)
    }

    fn period(&self) -> Option<Duration> {
        self.attributes.every.as_ref().map(|(_, period)| *period)
    }

    fn erased(&self) -> Erased<'_> {
        let krate = &self.attributes.krate;
        Erased {
            function: self.ident(),
            parameters: self.parameters,
            extractor: quote!(#krate::extract::Standing),
            value: self.item(),
            returned: self.returned(),
            gives: match self.period() {
                Some(_) => quote!(::core::future::Future<Output = V>),
                None => quote!(#krate::function::Stream<Item = V>),
            },
        }
    }

    fn returned(&self) -> TokenStream {
        let krate = &self.attributes.krate;
        quote!(#krate::listener::Returned)
    }

    /// What the source gives each time, where this type is written: the return type, or `T` in `impl Stream<Item = T>`.
    fn item(&self) -> Option<Type> {
        let returns = self.function.returns();
        let item = match self.period() {
            Some(_) => Some(returns),
            None => item_of(&returns),
        };
        item.filter(has_name)
    }

    /// How many outputs an item feeds, a `u16`.
    fn feeds(&self) -> TokenStream {
        match self.item() {
            Some(item) => of_trait(&self.place_of_item(), &item, &self.returned(), "OUTPUTS"),
            None => self.erased().feeds(),
        }
    }

    fn place_of_item(&self) -> TokenStream {
        match self.item() {
            Some(item) if self.period().is_none() => item.into_token_stream(),
            _ => self.place_of_return(),
        }
    }

    /// Constants that judge what traits do not.
    fn checks(&self) -> Vec<TokenStream> {
        let SourceAttributes {
            krate,
            outputs: named,
            ..
        } = self.attributes;
        let mut checks = vec![outputs::as_many_as_named(
            &self.feeds(),
            named,
            &self.place_of_item(),
        )];
        checks.extend(outputs_are_named(krate, self.parameters));
        checks
    }
}

/// `T` in `impl Stream<Item = T>`.
fn item_of(returns: &Type) -> Option<Type> {
    let Type::ImplTrait(bounds) = returns else {
        return None;
    };
    bounds.bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let PathArguments::AngleBracketed(AngleBracketedGenericArguments { args, .. }) =
            &bound.path.segments.last()?.arguments
        else {
            return None;
        };
        args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(given) if given.ident == "Item" => Some(given.ty.clone()),
            _ => None,
        })
    })
}
