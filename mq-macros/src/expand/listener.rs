//! What a listener expands to.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Path, Type, ext::IdentExt, parse_quote};

use super::{
    beside,
    ends::of_trait,
    hidden, outputs,
    parameters::{Judge, outputs_are_named},
};
use crate::{
    attributes::ListenerAttributes,
    model::{Function, Parameter},
};

/// A listener whose form is right.
pub(crate) struct ListenerParts<'a> {
    pub(crate) attributes: &'a ListenerAttributes,
    pub(crate) function: &'a Function,
    pub(crate) parameters: &'a [Parameter],
}

/// What a listener of this style is made with.
struct Style {
    judge: (&'static str, &'static str),
    returned: &'static str,
    function: &'static str,
}

const SINGLE: Style = Style {
    judge: ("Extract", "PAYLOAD"),
    returned: "Returned",
    function: "ListenerFunction",
};

const BATCH: Style = Style {
    judge: ("ExtractBatch", "BATCH"),
    returned: "BatchReturned",
    function: "BatchFunction",
};

/// Everything beside the function.
pub(crate) fn listener(parts: &ListenerParts<'_>) -> TokenStream {
    let krate = &parts.attributes.krate;
    let makes = quote!(#krate::listener::Listener);
    beside(parts.function, &makes, &parts.descriptor(), &parts.items())
}

impl ListenerParts<'_> {
    fn style(&self) -> &'static Style {
        if self.attributes.batch.is_some() {
            &BATCH
        } else {
            &SINGLE
        }
    }

    fn judge(&self) -> Judge<'_> {
        let (extractor, reads) = self.style().judge;
        Judge {
            krate: &self.attributes.krate,
            extractor,
            reads,
        }
    }

    /// `Listener::new(…)` with everything that the attribute says.
    fn descriptor(&self) -> TokenStream {
        let ListenerAttributes {
            input,
            outputs,
            name,
            settings,
            krate,
            ..
        } = self.attributes;
        let function = &self.function.signature.ident;
        let plain = function.unraw().to_string();
        let name = name
            .as_ref()
            .map_or_else(|| quote!(#plain), ToTokens::to_token_stream);
        let line = quote_spanned!(function.span()=> ::core::line!());
        let publishes = self
            .parameters
            .iter()
            .filter_map(|parameter| parameter.output.as_ref());
        let (keys, values): (Vec<_>, Vec<_>) = settings.iter().cloned().unzip();
        let outputs = &outputs.names;
        let body = self.body();
        quote! {
            #krate::listener::Listener::new(#name, #input, #body)
                .package(::core::env!("CARGO_PKG_NAME"))
                .at(::core::file!(), #line)
                #(.output(#outputs))*
                #(.publishes(#publishes))*
                #(.setting(#keys, #values))*
        }
    }

    /// The function, erased. What the types lack is an error once each, on the type.
    fn body(&self) -> TokenStream {
        let krate = &self.attributes.krate;
        let Style {
            judge: (extractor, _),
            returned,
            function: callable,
        } = self.style();
        let (extractor, returned, callable) = (
            format_ident!("{extractor}"),
            format_ident!("{returned}"),
            format_ident!("{callable}"),
        );
        let function = &self.function.signature.ident;
        let types = self.parameters.iter().map(|parameter| &parameter.ty);
        let slots: Vec<_> = (0..self.parameters.len())
            .map(|index| format_ident!("P{index}"))
            .collect();
        let are_extractors = self.judge().are_extractors(self.parameters);
        let can_be_returned = self.named_return().map(|_| {
            let feeds = self.feeds();
            quote!(let _ = #feeds;)
        });
        let returns = self.named_return().unwrap_or_else(|| parse_quote!(_));
        let unnamed = quote_spanned!(function.span()=> _);
        quote! {{
            fn body<#(#slots,)* R, Fut>(function: impl ::core::ops::Fn(#(#slots),*) -> Fut + Send + Sync + 'static)
                -> ::std::sync::Arc<dyn #krate::listener::Body>
            where
                #(#slots: #krate::extract::#extractor + 'static,)*
                R: #krate::listener::#returned + ::core::marker::Send + 'static,
                Fut: ::core::future::Future<Output = R> + ::core::marker::Send + 'static,
            {
                #krate::listener::#callable::into_body(function)
            }
            #are_extractors
            #can_be_returned
            body::<#(#types,)* #returns, #unnamed>(#function)
        }}
    }

    /// The return type, unless it has no name (`impl Trait`).
    fn named_return(&self) -> Option<Type> {
        Some(self.function.returns()).filter(|ty| !matches!(ty, Type::ImplTrait(_)))
    }

    /// How many outputs the return value feeds, a `u16`; an error about the trait stands on the return type.
    fn feeds(&self) -> TokenStream {
        let krate = &self.attributes.krate;
        let returns = self.function.returns();
        let path: Path = parse_quote!(#krate::listener);
        let place = outputs::place_of(&returns, &self.function.signature.ident);
        of_trait(place, &returns, &path, self.style().returned, "OUTPUTS")
    }

    /// Constants that judge what traits do not, and the registration.
    fn items(&self) -> Vec<TokenStream> {
        let ListenerAttributes {
            krate,
            outputs: named,
            batch,
            ..
        } = self.attributes;
        let name = &self.function.signature.ident;
        let mut items = self.judge().read_once(
            self.parameters,
            match batch {
                None => {
                    "a second payload: a listener takes one, so pass on what is needed of the first"
                }
                Some(_) => "a second batch: a batch listener takes one",
            },
        );
        if let Some(batch) = batch {
            let message =
                "no parameter is a batch: take the messages as `Batch<Json<T>>`, or delete `batch`";
            items.push(self.judge().read_at_all(self.parameters, batch, message));
        }
        if let Some(returns) = self.named_return() {
            items.push(outputs::as_many_as_named(
                &self.feeds(),
                named,
                &returns,
                name,
            ));
        }
        items.extend(outputs_are_named(krate, self.parameters));
        let hidden = hidden(name);
        items.push(quote_spanned! {Span::call_site()=>
            #krate::registry::inventory::submit! { #krate::registry::ListenerEntry(#hidden) }
        });
        items
    }
}
