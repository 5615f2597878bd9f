//! What a listener expands to.

use proc_macro2::TokenStream;
use quote::quote;

use super::{
<<<<<<< HEAD
    beside,
    ends::of_trait,
    hidden, outputs,
    parameters::{Judge, outputs_are_named},
};
use crate::{
    attributes::ListenerAttributes,
    model::{Function, Parameter},
=======
    Annotated, Hidden, LISTENER,
    ends::of_trait,
    erased::Erased,
    has_name, hidden, outputs,
    parameters::{Judge, outputs_are_named},
>>>>>>> macros
};
use crate::attributes::ListenerAttributes;

type Listener<'a> = Annotated<'a, ListenerAttributes>;

/// Everything beside the function.
pub(crate) fn listener(listener: &Listener<'_>) -> TokenStream {
    let krate = &listener.attributes.krate;
    let name = hidden(LISTENER, listener.ident());
    let hidden = Hidden {
        makes: quote!(#krate::listener::Listener),
        body: listener.descriptor(),
        registration: quote! {
            #krate::registry::inventory::submit! { #krate::registry::ListenerEntry(#name) }
        },
        name,
    };
    listener.beside(&hidden, &listener.checks())
}

<<<<<<< HEAD
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
=======
impl Listener<'_> {
    /// `Listener::new(…)` with everything that the attribute says.
    fn descriptor(&self) -> TokenStream {
        let ListenerAttributes { input, outputs, name, settings, krate, .. } = self.attributes;
        let (name, facts, outputs) = (self.name(name.as_ref()), self.facts(), &outputs.names);
>>>>>>> macros
        let (keys, values): (Vec<_>, Vec<_>) = settings.iter().cloned().unzip();
        let asserts = self.judge().are_extractors(self.parameters);
        let feeds = self.feeds();
        let body = self.body();
        quote! {
            #asserts
            let _ = #feeds;
            #krate::listener::Listener::new(#name, #input, #body)
                #facts
                #(.output(#outputs))*
                #(.setting(#keys, #values))*
        }
    }

    fn judge(&self) -> Judge {
        let krate = &self.attributes.krate;
        match self.attributes.batch {
            None => Judge { extractor: quote!(#krate::extract::Extract), reads: "PAYLOAD" },
            Some(_) => Judge { extractor: quote!(#krate::extract::ExtractBatch), reads: "BATCH" },
        }
    }

    fn returned(&self) -> TokenStream {
        let krate = &self.attributes.krate;
        match self.attributes.batch {
            None => quote!(#krate::listener::Returned),
            Some(_) => quote!(#krate::listener::BatchReturned),
        }
    }

    /// The function, erased.
    fn body(&self) -> TokenStream {
        let krate = &self.attributes.krate;
<<<<<<< HEAD
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
=======
        let callable = match self.attributes.batch {
            None => quote!(ListenerFunction),
            Some(_) => quote!(BatchFunction),
        };
        let makes = quote!(::std::sync::Arc<dyn #krate::listener::Body>);
        let code = quote!(#krate::listener::#callable::into_body(function));
        self.erased().expression("listener", &makes, &code)
>>>>>>> macros
    }

    fn erased(&self) -> Erased<'_> {
        Erased {
            function: self.ident(),
            parameters: self.parameters,
            extractor: self.judge().extractor,
            value: Some(self.function.returns()).filter(has_name),
            returned: self.returned(),
            gives: quote!(::core::future::Future<Output = V>),
        }
    }

    /// How many outputs the return value feeds, a `u16`.
    fn feeds(&self) -> TokenStream {
        let returns = self.function.returns();
        if has_name(&returns) {
            of_trait(&self.place_of_return(), &returns, &self.returned(), "OUTPUTS")
        } else {
            self.erased().feeds()
        }
    }

<<<<<<< HEAD
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
=======
    /// Constants that judge what traits do not.
    fn checks(&self) -> Vec<TokenStream> {
        let ListenerAttributes { krate, outputs: named, batch, .. } = self.attributes;
        let (judge, parameters) = (self.judge(), self.parameters);
        let mut checks = match batch {
            None => judge.read_once(parameters, "a second payload: a listener takes one, so take what is needed from the first"),
            Some(_) => judge.read_once(parameters, "a second batch: a batch listener takes one"),
        };
        if let Some(batch) = batch {
            let message = "no parameter is a batch: take the messages as `Batch<Json<T>>`, or delete `batch`";
            checks.push(judge.read_at_all(parameters, batch, message));
        }
        checks.push(outputs::as_many_as_named(&self.feeds(), named, &self.place_of_return()));
        checks.extend(outputs_are_named(krate, parameters));
        checks
>>>>>>> macros
    }
}
